//! Load of the host: CPU and pressure, by the kernel's own account.

use std::path::{Path, PathBuf};

use super::{CpuMeter, LoadError, Pressures, Sample, Source};

/// Reads the kernel's counters.
#[derive(Debug)]
pub struct HostSource {
    root: PathBuf,
    cpu: CpuMeter,
}

impl HostSource {
    /// `root` is `/`, or a copy of the files for a test; `cgroup` as in the configuration.
    pub fn new(root: &Path, cgroup: Option<&str>) -> Result<Self, LoadError> {
        Ok(Self { root: root.into(), cpu: CpuMeter::new(root, cgroup)? })
    }
}

impl Source for HostSource {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let (cpu_percent, cores) = self.cpu.since_last()?;
        let limiting = self.cpu.limiting();
        let pressures = Pressures::read(|kind| match limiting {
            Some(cgroup) => cgroup.pressure_file(kind),
            None => self.root.join("proc/pressure").join(kind),
        });
        Ok(Sample { cpu_percent, cpu_percent_now: cpu_percent, cores, pressures })
    }
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
        let line = "avg10=12.50 avg60=1.25 avg300=0.00 total=5";
        root.put("proc/pressure/cpu", &format!("some {line}\nfull {line}\n"));
        let pressures = source.sample().expect("time has passed").pressures.expect("one file");
        assert_eq!((pressures.cpu_percent, pressures.io_percent), (Some(12.5), None));
        assert_eq!((pressures.cpu60_percent, pressures.memory60_percent), (Some(1.25), None));
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
    fn meters_do_not_disturb_each_other() {
        let root = Root::new();
        root.stat(0, 0, 0, 0, 0);
        let [mut often, mut seldom] = [(); 2].map(|()| CpuMeter::new(root.0.path(), None).expect("readable"));
        root.stat(400, 0, 0, 0, 0);
        assert!((often.since_last().expect("time has passed").0 - 100.0).abs() < 1e-9);
        root.stat(400, 0, 400, 0, 0);
        assert!(often.since_last().expect("time has passed").0.abs() < 1e-9);
        assert!((seldom.since_last().expect("time has passed").0 - 50.0).abs() < 1e-9);
    }

    #[test]
    fn this_host_can_be_measured() {
        assert!(HostSource::new(Path::new("/"), None).is_ok());
    }
}
