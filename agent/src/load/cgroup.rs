//! The cgroup (v2) that limits us, where one does: its quota is the number of cores, its usage the load.

use std::path::{Path, PathBuf};

use super::LoadError;

/// A cgroup's directory.
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    dir: PathBuf,
}

impl Cgroup {
    /// `auto` is the agent's own cgroup; anything else is a directory.
    pub(super) fn find(root: &Path, setting: &str) -> Result<Self, LoadError> {
        if setting != "auto" {
            return Ok(Self { dir: setting.into() });
        }
        let path = root.join("proc/self/cgroup");
        let text = read(&path)?;
        let own = text.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(|| LoadError::Parse {
            path,
            problem: "it holds no line of cgroup version 2 (0::)".into(),
        })?;
        Ok(Self { dir: root.join("sys/fs/cgroup").join(own.trim().trim_start_matches('/')) })
    }

    /// Cores it may use; `None` when it sets no limit.
    pub(super) fn cores(&self) -> Result<Option<f64>, LoadError> {
        let path = self.dir.join("cpu.max");
        let text = match read(&path) {
            // The root cgroup has no such file.
            Err(LoadError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        };
        let mut words = text.split_whitespace();
        let (quota, period) = (words.next().unwrap_or("max"), words.next().unwrap_or("100000"));
        if quota == "max" {
            return Ok(None);
        }
        match (quota.parse::<f64>(), period.parse::<f64>()) {
            (Ok(quota), Ok(period)) if quota > 0.0 && period > 0.0 => Ok(Some(quota / period)),
            _ => Err(LoadError::Parse { path, problem: format!("{:?} is no quota", text.trim()) }),
        }
    }

    /// CPU time used so far, in seconds.
    pub(super) fn used_s(&self) -> Result<f64, LoadError> {
        let path = self.dir.join("cpu.stat");
        let text = read(&path)?;
        let usec = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse::<f64>().ok());
        usec.map(|usec| usec / 1e6)
            .ok_or_else(|| LoadError::Parse { path, problem: "it holds no usage_usec".into() })
    }

    pub(super) fn pressure_file(&self, kind: &str) -> PathBuf {
        self.dir.join(format!("{kind}.pressure"))
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.into(), source })
}
