//! One control group by its files: quota, usage, throttling, processes; version 1 and 2 differ here and nowhere else.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::GroupError;

/// Length of a period of the quota.
///
/// Not short, because `/proc/stat` is filled in by looking at each tick who runs, and whoever has used up the quota is stopped
/// at a tick and counted by it for the whole of it: on two cores with ticks of 4 ms, a group that got 1.1 cores seemed to use
/// 0.10 to 0.12 more with periods of 21 ms, and 0.05 with 100. Not longer, because a group that has used up its quota stands
/// still until the next period, and is given up to that much on top when the quota is written. And a third of the quarter
/// second after which the governor looks: were it no whole part of it, a look would see now more and now fewer of them.
const PERIOD_US: u64 = 83_333;
/// The kernel takes no shorter quota.
const QUOTA_MIN_US: u64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// A group's directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup {
    pub(super) version: Version,
    pub(super) cpu: PathBuf,
    /// The same group where usage is counted, if that is mounted apart (version 1 only).
    usage: Option<PathBuf>,
}

impl Cgroup {
    pub(super) fn new(version: Version, cpu: PathBuf, usage: Option<PathBuf>) -> Self {
        Self { version, cpu, usage }
    }

    pub(super) fn child(&self, name: &str) -> Self {
        let usage = self.usage.as_ref().map(|dir| dir.join(name));
        Self { version: self.version, cpu: self.cpu.join(name), usage }
    }

    fn dirs(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.cpu.as_path()).chain(self.usage.as_deref())
    }

    /// Makes what is not there yet, above it too.
    pub(super) fn make(&self) -> Result<(), GroupError> {
        self.dirs().try_for_each(|dir| std::fs::create_dir_all(dir).map_err(GroupError::io("create", dir)))
    }

    /// Removes it if nobody is in it; says whether it is gone.
    pub(super) fn remove(&self) -> bool {
        let gone = |dir: &Path| match std::fs::remove_dir(dir) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        // Both are tried: one left over would be taken for a start.
        self.dirs().map(gone).fold(true, |all, gone| all & gone)
    }

    pub(super) fn exists(&self) -> bool {
        self.dirs().any(Path::is_dir)
    }

    /// Names of the groups in it.
    pub(super) fn children(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .dirs()
            .filter_map(|dir| std::fs::read_dir(dir).ok())
            .flat_map(Iterator::flatten)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Makes ready for [`Cgroup::set_cores`].
    pub(super) fn set_period(&self) -> Result<(), GroupError> {
        match self.version {
            Version::V1 => put(&self.cpu.join("cpu.cfs_period_us"), &PERIOD_US.to_string()),
            Version::V2 => Ok(()),
        }
    }

    /// Lets its processes use so many cores together.
    pub(super) fn set_cores(&self, cores: f64) -> Result<(), GroupError> {
        let quota_us = ((cores * PERIOD_US as f64) as u64).max(QUOTA_MIN_US);
        match self.version {
            Version::V1 => put(&self.cpu.join("cpu.cfs_quota_us"), &quota_us.to_string()),
            Version::V2 => put(&self.cpu.join("cpu.max"), &format!("{quota_us} {PERIOD_US}")),
        }
    }

    /// CPU time used so far, in seconds, by those in it and in the groups below it.
    pub(super) fn used_s(&self) -> Result<f64, GroupError> {
        match self.version {
            Version::V1 => {
                let path = self.usage.as_ref().unwrap_or(&self.cpu).join("cpuacct.usage");
                let text = get(&path)?;
                let ns = text.trim().parse::<f64>();
                ns.map(|ns| ns / 1e9).map_err(|e| GroupError::Parse { path, problem: e.to_string() })
            }
            Version::V2 => self.stat("usage_usec").map(|us| us / 1e6),
        }
    }

    /// Periods of the quota in which somebody was in it, and those in which they wanted more.
    pub(super) fn periods(&self) -> Result<(f64, f64), GroupError> {
        Ok((self.stat("nr_periods")?, self.stat("nr_throttled")?))
    }

    fn stat(&self, key: &str) -> Result<f64, GroupError> {
        let path = self.cpu.join("cpu.stat");
        let text = get(&path)?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        value.ok_or_else(|| GroupError::Parse { path, problem: format!("it holds no {key}") })
    }

    /// Open files that take in who writes to them, one per directory.
    pub(super) fn doors(&self) -> Result<Vec<File>, GroupError> {
        let open = |dir: &Path| {
            let path = dir.join("cgroup.procs");
            File::options().write(true).open(&path).map_err(GroupError::io("open", path))
        };
        self.dirs().map(open).collect()
    }

    /// Moves all that are in `from` to this one; says how many were.
    pub(super) fn take_from(&self, from: &Self) -> Result<usize, GroupError> {
        let mut moved = 0;
        for (to, from) in self.dirs().zip(from.dirs()) {
            for pid in get(&from.join("cgroup.procs"))?.split_whitespace() {
                take_in(to, pid)?;
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Takes in this process.
    pub(super) fn take_self(&self) -> Result<(), GroupError> {
        self.dirs().try_for_each(|dir| take_in(dir, &std::process::id().to_string()))
    }

    /// Lets groups in it have quotas (version 2 only; in version 1 they always may).
    pub(super) fn delegate(&self) -> Result<(), GroupError> {
        match self.version {
            Version::V1 => Ok(()),
            Version::V2 => put(&self.cpu.join("cgroup.subtree_control"), "+cpu"),
        }
    }
}

fn take_in(dir: &Path, pid: &str) -> Result<(), GroupError> {
    match put(&dir.join("cgroup.procs"), pid) {
        // A process that has ended meanwhile needs no place.
        Err(GroupError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
        other => other,
    }
}

fn get(path: &Path) -> Result<String, GroupError> {
    std::fs::read_to_string(path).map_err(GroupError::io("read", path))
}

fn put(path: &Path, text: &str) -> Result<(), GroupError> {
    std::fs::write(path, text).map_err(GroupError::io("write", path))
}
