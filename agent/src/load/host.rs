//! Load of the host, from `/proc/stat`, or of the cgroup that limits us.

use std::path::{Path, PathBuf};

use procfs::{CpuTime, ExplicitSystemInfo, FromReadSI, KernelStats};

use super::{LoadError, Pressures, Sample, Source, cgroup::Cgroup};

/// Ticks of `/proc/stat` in a second, as Linux shows them to programs on every architecture of today.
const TICKS_PER_SECOND: u64 = 100;

/// Ticks of one core from which a share can be read; fewer say little more than 0 or 100 %.
const TICKS_MIN: f64 = 5.0;

/// Reads the kernel's counters.
#[derive(Debug)]
pub struct HostSource {
    root: PathBuf,
    cgroup: Option<Cgroup>,
    before: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    busy_ticks: f64,
    all_ticks: f64,
    host_cores: f64,
    /// Quota in cores and seconds used, where a cgroup limits us.
    limited: Option<(f64, f64)>,
}

impl HostSource {
    /// `root` is `/`, or a copy of the files for a test; `cgroup` as in the configuration.
    pub fn new(root: &Path, cgroup: Option<&str>) -> Result<Self, LoadError> {
        let cgroup = cgroup.map(|setting| Cgroup::find(root, setting)).transpose()?;
        let before = read(root, cgroup.as_ref())?;
        Ok(Self { root: root.into(), cgroup, before })
    }
}

impl Source for HostSource {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let now = read(&self.root, self.cgroup.as_ref())?;
        let (cpu_percent, cores) = since(&self.before, &now).ok_or(LoadError::TooSoon)?;
        self.before = now;
        let limited = now.limited.and(self.cgroup.as_ref());
        let pressures = Pressures::read(|kind| match limited {
            Some(cgroup) => cgroup.pressure_file(kind),
            None => self.root.join("proc/pressure").join(kind),
        });
        Ok(Sample { cpu_percent, cores, pressures })
    }
}

/// Share of the cores in use between two readings, and how many cores those are.
fn since(before: &Counters, now: &Counters) -> Option<(f64, f64)> {
    let all_ticks = now.all_ticks - before.all_ticks;
    if all_ticks < TICKS_MIN * now.host_cores {
        return None;
    }
    let (share, cores) = match (before.limited, now.limited) {
        (Some((_, used_before)), Some((cores, used_now))) => {
            // All cores together make `host_cores` seconds of ticks in one second.
            let elapsed_s = all_ticks / now.host_cores / TICKS_PER_SECOND as f64;
            ((used_now - used_before) / (elapsed_s * cores), cores)
        }
        _ => ((now.busy_ticks - before.busy_ticks) / all_ticks, now.host_cores),
    };
    Some(((share * 100.0).clamp(0.0, 100.0), cores))
}

fn read(root: &Path, cgroup: Option<&Cgroup>) -> Result<Counters, LoadError> {
    let path = root.join("proc/stat");
    let stat = std::fs::File::open(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    let info = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: TICKS_PER_SECOND,
        page_size: 4096,
        is_little_endian: cfg!(target_endian = "little"),
    };
    let stats = KernelStats::from_read(stat, &info)
        .map_err(|e| LoadError::Parse { path: path.clone(), problem: e.to_string() })?;
    let host_cores = stats.cpu_time.len() as f64;
    if host_cores < 1.0 {
        return Err(LoadError::Parse { path, problem: "it lists no core".into() });
    }
    let limited = match cgroup {
        None => None,
        Some(cgroup) => match cgroup.cores()? {
            Some(cores) if cores < host_cores => Some((cores, cgroup.used_s()?)),
            _ => None,
        },
    };
    let (busy_ticks, all_ticks) = ticks(&stats.total);
    Ok(Counters { busy_ticks, all_ticks, host_cores, limited })
}

/// Busy and all ticks. Guest time is already part of user time; time stolen by another guest is not ours to use.
fn ticks(cpu: &CpuTime) -> (f64, f64) {
    let interrupts = cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
    let busy = cpu.user + cpu.nice + cpu.system + interrupts + cpu.steal.unwrap_or(0);
    let all = busy + cpu.idle + cpu.iowait.unwrap_or(0);
    (busy as f64, all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            std::fs::write(path, text).expect("written");
        }

        /// user, system, idle, iowait and steal ticks of all four cores together.
        fn stat(&self, user: u64, system: u64, idle: u64, iowait: u64, steal: u64) {
            let cores = [0, 1, 2, 3].map(|i| format!("cpu{i} 0 0 0 0 0 0 0 0 0 0\n")).concat();
            let total = format!("cpu {user} 0 {system} {idle} {iowait} 0 0 {steal} 0 0\n");
            self.put(
                "proc/stat",
                &format!("{total}{cores}ctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n"),
            );
        }
    }

    #[test]
    fn busy_is_all_but_idle_and_waiting_for_disks() {
        let root = Root::new();
        root.stat(1000, 0, 1000, 0, 0);
        let mut source = HostSource::new(root.0.path(), None).expect("readable");
        root.stat(1019, 0, 1000, 0, 0);
        assert!(matches!(source.sample(), Err(LoadError::TooSoon)), "19 ticks of 4 cores");
        root.stat(1100, 50, 1200, 30, 20);
        let sample = source.sample().expect("time has passed");
        assert!((sample.cpu_percent - 170.0 / 400.0 * 100.0).abs() < 1e-9, "{sample:?}");
        assert!((sample.cores - 4.0).abs() < 1e-9);
        assert_eq!(sample.pressures, None);
    }

    #[test]
    fn pressure_is_read_where_the_kernel_keeps_it() {
        let root = Root::new();
        root.stat(0, 0, 0, 0, 0);
        let mut source = HostSource::new(root.0.path(), None).expect("readable");
        root.stat(0, 0, 400, 0, 0);
        let line = "avg10=12.50 avg60=1.00 avg300=0.00 total=5";
        root.put("proc/pressure/cpu", &format!("some {line}\nfull {line}\n"));
        let pressures = source.sample().expect("time has passed").pressures.expect("one file");
        assert_eq!((pressures.cpu_percent, pressures.io_percent), (Some(12.5), None));
    }

    #[test]
    fn a_quota_makes_the_cgroup_the_measure() {
        let root = Root::new();
        root.stat(0, 0, 0, 0, 0);
        root.put("proc/self/cgroup", "0::/slice/agent\n");
        root.put("sys/fs/cgroup/slice/agent/cpu.max", "200000 100000\n");
        root.put("sys/fs/cgroup/slice/agent/cpu.stat", "usage_usec 1000000\nuser_usec 1\n");
        let mut source = HostSource::new(root.0.path(), Some("auto")).expect("readable");
        root.stat(400, 0, 0, 0, 0); // 400 ticks of 4 cores: one second, the host is full
        root.put("sys/fs/cgroup/slice/agent/cpu.stat", "usage_usec 2500000\nuser_usec 1\n");
        let sample = source.sample().expect("time has passed");
        assert!((sample.cpu_percent - 75.0).abs() < 1e-9, "1.5 of 2 cores: {sample:?}");
        assert!((sample.cores - 2.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_quota_the_host_is_the_measure() {
        let root = Root::new();
        root.stat(0, 0, 0, 0, 0);
        root.put("group/cpu.max", "max 100000\n");
        let group = root.0.path().join("group");
        let mut source = HostSource::new(root.0.path(), group.to_str()).expect("readable");
        root.stat(200, 0, 200, 0, 0);
        let sample = source.sample().expect("time has passed");
        assert!((sample.cpu_percent - 50.0).abs() < 1e-9 && (sample.cores - 4.0).abs() < 1e-9);
    }

    #[test]
    fn this_host_can_be_measured() {
        assert!(HostSource::new(Path::new("/"), None).is_ok());
    }
}
