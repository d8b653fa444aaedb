//! CPU of the host since one's own last look, from `/proc/stat`, or of the cgroup that limits us.

use std::path::{Path, PathBuf};

use procfs::{CpuTime, ExplicitSystemInfo, FromReadSI, KernelStats};

use super::{LoadError, cgroup::Cgroup};

/// Ticks of `/proc/stat` in a second, as Linux shows them to programs on every architecture of today.
const TICKS_PER_SECOND: u64 = 100;

/// Ticks of one core from which a share can be read; fewer say little more than 0 or 100 %.
const TICKS_MIN: f64 = 5.0;

/// Reads the kernel's counters. Each meter looks for itself, so that several do not disturb each other.
#[derive(Debug)]
pub struct CpuMeter {
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

impl CpuMeter {
    /// `root` is `/`, or a copy of the files for a test; `cgroup` as in the configuration.
    pub fn new(root: &Path, cgroup: Option<&str>) -> Result<Self, LoadError> {
        let cgroup = cgroup.map(|setting| Cgroup::find(root, setting)).transpose()?;
        let before = read(root, cgroup.as_ref())?;
        Ok(Self { root: root.into(), cgroup, before })
    }

    /// Share of the cores in use since the last look, 0-100, and how many cores those are.
    pub fn since_last(&mut self) -> Result<(f64, f64), LoadError> {
        let now = read(&self.root, self.cgroup.as_ref())?;
        let since = since(&self.before, &now).ok_or(LoadError::TooSoon)?;
        self.before = now;
        Ok(since)
    }

    /// How many cores there were at the last look.
    pub fn cores(&self) -> f64 {
        self.before.limited.map_or(self.before.host_cores, |(cores, _)| cores)
    }

    /// The cgroup whose quota was the measure of the last look.
    pub(super) fn limiting(&self) -> Option<&Cgroup> {
        self.before.limited.and(self.cgroup.as_ref())
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
