//! Makes the groups of this host, where the kernel and its administrator allow it.

use std::{io, path::Path};

use super::{GroupError, cgroup::Cgroup, cgroup::Version, site};

/// The two groups in which instances have theirs.
#[derive(Debug)]
pub(super) struct Rooms {
    home: Cgroup,
    pub(super) starting: Cgroup,
    pub(super) serving: Cgroup,
}

impl Rooms {
    /// Removes them, if nobody is in them; says whether they are gone.
    pub(super) fn remove(&self) -> bool {
        [&self.starting, &self.serving, &self.home].map(Cgroup::remove) == [true; 3]
    }
}

/// Below `base`, or our own group; those of an earlier agent are found again. `name` is this host's.
pub(super) fn rooms(root: &Path, base: Option<&Path>, name: &str) -> Result<Rooms, GroupError> {
    let site = site::find(root, base)?;
    delegate(&site)?;
    let home = site.base.child(&format!("reveille-{name}"));
    home.make()?;
    home.delegate()?;
    let (starting, serving) = (home.child("starting"), home.child("serving"));
    starting.make()?;
    serving.make()?;
    starting.set_period()?;
    Ok(Rooms { home, starting, serving })
}

/// In version 2 a group that holds processes cannot give quotas to groups in it: if that is us, we move to a leaf.
fn delegate(site: &site::Site) -> Result<(), GroupError> {
    if !site.is_own {
        site.base.make()?;
    }
    match site.base.delegate() {
        Err(error)
            if site.is_own
                && site.base.version == Version::V2
                && error.kind() == Some(io::ErrorKind::ResourceBusy) =>
        {
            let leaf = site.base.child("agent");
            leaf.make()?;
            leaf.take_self()?;
            site.base.delegate()
        }
        other => other,
    }
}

/// Name of an instance's or host's group. An id may hold `/`, a name may not; `%` is no letter of an id.
pub(super) fn name(id: &str) -> String {
    id.replace('/', "%2F")
}
