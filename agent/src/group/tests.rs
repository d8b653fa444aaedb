//! Groups of the real kernel, where this one lets us, and the making of them on made-up files for both versions.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use reveille_proto::{HostId, InstanceId};
use tokio::{io::AsyncReadExt, process::Child};

use super::{
    GroupError, Groups, Starts,
    cgroup::{Cgroup, Version},
    setup::rooms,
    site,
};

/// A made-up root directory.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    fn get(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).expect("written before")
    }

    /// As systemd mounts it; the agent is in `/agent.slice`.
    fn version2() -> Self {
        let root = Self::new();
        root.put(
            "proc/self/mountinfo",
            "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
        );
        root.put("proc/self/cgroup", "0::/agent.slice\n");
        root.put("sys/fs/cgroup/agent.slice/cgroup.controllers", "cpuset cpu io memory pids\n");
        root
    }

    /// The two controllers mounted apart, and version 2 beside them without any.
    fn version1() -> Self {
        let root = Self::new();
        root.put(
            "proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
             33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        root.put("proc/self/cgroup", "2:cpuacct:/\n1:cpu:/\n0::/\n");
        root.put("sys/fs/cgroup/unified/cgroup.controllers", "\n");
        root.put("sys/fs/cgroup/cpu/cgroup.procs", "");
        root.put("sys/fs/cgroup/cpuacct/cgroup.procs", "");
        root
    }
}

#[test]
fn version_2_is_found_below_our_own_group_and_may_give_quotas() {
    let root = Root::version2();
    let rooms = rooms(root.path(), None, "host-1").expect("made");
    rooms.starting.set_cores(0.5).expect("written");
    let home = "sys/fs/cgroup/agent.slice/reveille-host-1";
    assert_eq!(root.get(&format!("{home}/starting/cpu.max")), "41666 83333");
    assert_eq!(root.get(&format!("{home}/cgroup.subtree_control")), "+cpu");
    assert_eq!(root.get("sys/fs/cgroup/agent.slice/cgroup.subtree_control"), "+cpu");
    root.put(
        &format!("{home}/starting/cpu.stat"),
        "usage_usec 2500000\nuser_usec 1\nnr_periods 40\nnr_throttled 10\nthrottled_usec 9\n",
    );
    assert!((rooms.starting.used_s().expect("readable") - 2.5).abs() < 1e-9);
    assert_eq!(rooms.starting.periods().expect("readable"), (40.0, 10.0));
}

#[test]
fn version_1_is_found_where_its_controllers_are_mounted_apart() {
    let root = Root::version1();
    let rooms = rooms(root.path(), None, "host-1").expect("made");
    rooms.starting.set_cores(0.0).expect("written");
    let home = "sys/fs/cgroup/cpu/reveille-host-1/starting";
    assert_eq!(root.get(&format!("{home}/cpu.cfs_quota_us")), "1000", "the kernel takes no less");
    assert_eq!(root.get(&format!("{home}/cpu.cfs_period_us")), "83333");
    root.put("sys/fs/cgroup/cpuacct/reveille-host-1/starting/cpuacct.usage", "1500000000\n");
    assert!((rooms.starting.used_s().expect("readable") - 1.5).abs() < 1e-9);
}

#[test]
fn a_base_may_be_named_and_a_container_sees_its_part_as_the_whole() {
    let root = Root::version2();
    root.put("sys/fs/cgroup/wakes.slice/cgroup.controllers", "cpu\n");
    let at = |base: &str| site::find(root.path(), Some(Path::new(base))).expect("found").base.cpu;
    let wanted = root.path().join("sys/fs/cgroup/wakes.slice");
    assert_eq!((at("/wakes.slice"), at("/sys/fs/cgroup/wakes.slice")), (wanted.clone(), wanted));

    let root = Root::version1();
    root.put(
        "proc/self/mountinfo",
        "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
    );
    root.put("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n");
    let found = site::find(root.path(), None).expect("found").base;
    assert_eq!(found, Cgroup::new(Version::V1, root.path().join("sys/fs/cgroup/cpu"), None));
}

#[test]
fn without_a_hierarchy_there_is_none() {
    let root = Root::new();
    root.put("proc/self/mountinfo", "23 1 254:0 / / rw,relatime - ext4 /dev/root rw\n");
    root.put("proc/self/cgroup", "");
    assert!(matches!(site::find(root.path(), None), Err(GroupError::NoHierarchy)));
}

/// Groups of the real kernel for one test; what it started ends with it.
struct Real {
    groups: Groups,
    children: Vec<Child>,
}

impl Real {
    /// `None`, and a word of it, where there can be none.
    fn open(test: &str) -> Option<Self> {
        match Groups::open(Path::new("/"), None, &host(test), true) {
            Ok(groups) => Some(Self { groups, children: Vec::new() }),
            Err(error) => {
                eprintln!("SKIPPED: {test}: {error}: no control group can be written here");
                None
            }
        }
    }

    /// Starts a shell with this script in the group of an instance; it has begun when this returns.
    async fn start(&mut self, instance: &InstanceId, script: &str) -> u32 {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", &format!("echo; {script}")]).stdin(Stdio::null()).stdout(Stdio::piped());
        // Its children end with it, also when a test fails.
        command.process_group(0);
        self.groups.place(instance).expect("placed").lead(&mut command);
        let mut child = command.spawn().expect("started");
        let mut out = child.stdout.take().expect("piped");
        out.read_u8().await.expect("it begins");
        let pid = child.id().expect("it lives");
        self.children.push(child);
        pid
    }

    fn kill(&self) {
        for pid in self.children.iter().filter_map(Child::id) {
            let leader = Pid::from_raw(pid.try_into().expect("small"));
            killpg(leader, Signal::SIGKILL).expect("it is not reaped yet");
        }
    }

    async fn end(mut self) {
        self.kill();
        for child in &mut self.children {
            child.wait().await.expect("reaped");
        }
        self.groups.adopt(&[].into());
        let all_gone = async {
            while !self.groups.remove_all() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all_gone).await.expect("empty groups can be removed");
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.kill();
        }
    }
}

fn host(test: &str) -> HostId {
    format!("test-{test}-{}", std::process::id()).parse().expect("valid")
}

fn dev(n: u8) -> InstanceId {
    format!("dev{n}/a").parse().expect("valid")
}

/// The group in which the kernel says a process is, for the CPU.
fn group_of(pid: u32) -> PathBuf {
    let process = procfs::process::Process::new(pid.try_into().expect("small")).expect("it lives");
    let groups = process.cgroups().expect("readable").0;
    let cpu = groups.iter().find(|g| g.controllers.iter().any(|c| c == "cpu"));
    cpu.or(groups.iter().find(|g| g.hierarchy == 0)).expect("in one").pathname.clone().into()
}

#[tokio::test]
async fn a_process_is_in_its_group_from_the_start_and_lifted_with_its_children() {
    let Some(mut real) = Real::open("lift") else { return };
    let pid = real.start(&dev(1), "sleep 600 & sleep 600 & wait").await;
    assert!(group_of(pid).ends_with("starting/instance-dev1%2Fa"), "{}", group_of(pid).display());
    real.groups.lift(&dev(1)).expect("lifted");
    assert!(group_of(pid).ends_with("serving/instance-dev1%2Fa"), "{}", group_of(pid).display());
    let starting = real.groups.rooms().starting.clone();
    assert_eq!(starting.children(), Vec::<String>::new());
    real.groups.lift(&dev(1)).expect("a second time is nothing");
    real.end().await;
}

#[tokio::test]
async fn a_new_agent_keeps_what_is_still_starting_and_lifts_the_rest() {
    let Some(mut real) = Real::open("adopt") else { return };
    let pids = [real.start(&dev(1), "sleep 600").await, real.start(&dev(2), "sleep 600").await];
    let next = Groups::open(Path::new("/"), None, &host("adopt"), true).expect("opened again");
    next.adopt(&[dev(2)].into());
    assert!(group_of(pids[0]).ends_with("serving/instance-dev1%2Fa"));
    assert!(group_of(pids[1]).ends_with("starting/instance-dev2%2Fa"));
    assert!(next.starts().sample().cores.contains_key(&dev(2)), "and measures it");
    real.end().await;
}

#[tokio::test]
async fn starts_share_the_quota_are_measured_apart_and_lose_nothing_when_lifted() {
    let Some(mut real) = Real::open("quota") else { return };
    real.groups.set_cores(0.2, 0.2).expect("set");
    let mut starts = real.groups.starts();
    let spin = "while :; do :; done";
    for n in [1, 2] {
        real.start(&dev(n), spin).await;
    }
    let (began, before_s) = (tokio::time::Instant::now(), real.groups.used_s().expect("readable"));
    let used_s = async {
        while real.groups.used_s().expect("readable") - before_s < 0.2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), used_s).await.expect("they run");
    assert!(began.elapsed() > Duration::from_millis(700), "0.2 s at 0.2 cores take a second");
    real.groups.lift(&dev(2)).expect("lifted");
    let sample = starts.sample();
    // On a host that is full others may keep them from their quota much of the time.
    assert!(sample.throttled_share.expect("measured") > 0.0, "{sample:?}");
    assert!(sample.group_cores.expect("set") < 0.21 && sample.cores[&dev(1)] > 0.0, "{sample:?}");
    assert!(sample.cores[&dev(2)] > 0.0, "what it used before it was lifted counts: {sample:?}");
    real.end().await;
}
