//! Where CPU groups can be made: the hierarchies this host has mounted, and our own place in them.

use std::{
    fs::File,
    io::BufReader,
    path::{Component, Path, PathBuf},
};

use procfs::{
    FromBufRead, ProcessCGroups,
    process::{MountInfo, MountInfos},
};

use super::{
    GroupError,
    cgroup::{Cgroup, Version},
};

/// The group below which ours are made.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) base: Cgroup,
    /// It is the agent's own: the agent lives in it.
    pub(super) is_own: bool,
}

/// Version 2 where its CPU controller is, else version 1. `base` is a path as in `/proc/self/cgroup`, which is the default.
pub(super) fn find(root: &Path, base: Option<&Path>) -> Result<Site, GroupError> {
    let places = Places {
        root,
        mounts: read::<MountInfos>(root, "proc/self/mountinfo")?,
        own: read::<ProcessCGroups>(root, "proc/self/cgroup")?,
        base,
    };
    let is_own = base.is_none();
    if let Some(dir) = places.version2() {
        return Ok(Site { base: Cgroup::new(Version::V2, dir, None), is_own });
    }
    match (places.version1("cpu"), places.version1("cpuacct")) {
        (Some(cpu), Some(usage)) => {
            let apart = (usage != cpu).then_some(usage);
            Ok(Site { base: Cgroup::new(Version::V1, cpu, apart), is_own })
        }
        _ => Err(GroupError::NoHierarchy),
    }
}

fn read<T: FromBufRead>(root: &Path, name: &str) -> Result<T, GroupError> {
    let path = root.join(name);
    let file = File::open(&path).map_err(GroupError::io("read", &path))?;
    T::from_buf_read(BufReader::new(file)).map_err(|e| GroupError::Parse { path, problem: e.to_string() })
}

struct Places<'a> {
    root: &'a Path,
    mounts: MountInfos,
    own: ProcessCGroups,
    base: Option<&'a Path>,
}

impl Places<'_> {
    fn version2(&self) -> Option<PathBuf> {
        let own = self.own.0.iter().find(|group| group.hierarchy == 0)?;
        let of_version2 = |mount: &&MountInfo| mount.fs_type == "cgroup2";
        self.mounts.iter().filter(of_version2).map(|mount| self.dir(mount, &own.pathname)).find(|dir| {
            let controllers = std::fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
            controllers.split_whitespace().any(|controller| controller == "cpu")
        })
    }

    fn version1(&self, controller: &str) -> Option<PathBuf> {
        let own = self.own.0.iter().find(|group| group.controllers.iter().any(|c| c == controller))?;
        let mount = self
            .mounts
            .iter()
            .find(|mount| mount.fs_type == "cgroup" && mount.super_options.contains_key(controller))?;
        Some(self.dir(mount, &own.pathname)).filter(|dir| dir.is_dir())
    }

    /// A container sees only a part of the hierarchy, mounted as if it were the whole.
    fn dir(&self, mount: &MountInfo, own: &str) -> PathBuf {
        let top = self.root.join(relative(&mount.mount_point));
        let wanted = self.base.unwrap_or(Path::new(own));
        let below = wanted.strip_prefix(&mount.mount_point).or_else(|_| wanted.strip_prefix(&mount.root));
        let dir = top.join(relative(below.unwrap_or(wanted)));
        if self.base.is_none() && !dir.is_dir() { top } else { dir }
    }
}

/// Below whatever it is joined to, never above.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
