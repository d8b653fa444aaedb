//! The groups of this host's instances: into `starting` before the command begins, out of it when the wake is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use reveille_proto::{HostId, InstanceId};
use tracing::{info, warn};

use super::{
    Door, GroupError, GroupStarts,
    cgroup::Cgroup,
    meters::Meters,
    setup::{Rooms, name, rooms},
};
use crate::chain::Chain;

/// Before the name of an instance's group, so that no id is the name of one of the kernel's files.
const PREFIX: &str = "instance-";
/// A start that forks while it is moved is moved again.
const MOVE_ROUNDS_MAX: usize = 20;

/// Handle to the groups. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Groups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rooms: Rooms,
    /// A start that cannot be put into its group is no start.
    is_required: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) starting: BTreeSet<InstanceId>,
    pub(super) meters: Meters,
    /// What `starting` may use, once that has been set.
    pub(super) cores: Option<f64>,
}

impl Groups {
    /// Makes them below `base` (a path as in `/proc/self/cgroup`), or below our own group. `root` is `/`.
    pub fn open(
        root: &Path,
        base: Option<&Path>,
        host: &HostId,
        is_required: bool,
    ) -> Result<Self, GroupError> {
        let rooms = rooms(root, base, &name(host.as_str()))?;
        info!(dir = %rooms.starting.cpu.display(), version = ?rooms.starting.version, "instances start in a CPU group");
        Ok(Self(Arc::new(Inner { rooms, is_required, state: Mutex::default() })))
    }

    pub fn is_required(&self) -> bool {
        self.0.is_required
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panics while holding it")
    }

    /// Makes the group of a start, and gives the way into it.
    pub fn place(&self, instance: &InstanceId) -> Result<Door, GroupError> {
        let group = self.starting(instance);
        let mut state = self.state();
        group.make()?;
        let files = group.doors()?;
        state.starting.insert(instance.clone());
        state.meters.begin(instance, &group);
        Ok(Door { files })
    }

    /// Its wake is over, however: all its processes move where there is no quota. Without a group nothing happens.
    pub fn lift(&self, instance: &InstanceId) -> Result<(), GroupError> {
        let (from, to) = (self.starting(instance), self.serving(instance));
        let mut state = self.state();
        state.starting.remove(instance);
        if !from.exists() {
            return Ok(());
        }
        to.make()?;
        for _ in 0..MOVE_ROUNDS_MAX {
            if to.take_from(&from)? == 0 {
                break;
            }
        }
        state.meters.moved(instance, &to);
        drop(state);
        from.remove();
        if to.remove() {
            self.state().meters.end(instance);
        }
        Ok(())
    }

    /// What an earlier agent left: starts whose wake goes on stay, all others are lifted.
    pub fn adopt(&self, goes_on: &BTreeSet<InstanceId>) {
        for (instance, group) in instances(&self.0.rooms.serving) {
            self.state().meters.begin(&instance, &group);
        }
        for (instance, group) in instances(&self.0.rooms.starting) {
            if goes_on.contains(&instance) {
                let mut state = self.state();
                state.meters.begin(&instance, &group);
                state.starting.insert(instance);
            } else if let Err(error) = self.lift(&instance) {
                warn!(instance_id = %instance, error = %Chain(&error), "what an earlier agent started stays in its CPU group");
            }
        }
    }

    /// Removes the groups that nobody is in any more.
    pub fn sweep(&self) {
        let mut state = self.state();
        for (instance, group) in instances(&self.0.rooms.serving) {
            if group.remove() && !state.starting.contains(&instance) {
                state.meters.end(&instance);
            }
        }
        for (instance, group) in instances(&self.0.rooms.starting) {
            // One that was just placed is empty until its process is there.
            if !state.starting.contains(&instance) {
                group.remove();
            }
        }
    }

    /// Lets all starting instances together use so many cores, by a quota of so many.
    pub fn set_cores(&self, cores: f64, quota: f64) -> Result<(), GroupError> {
        self.0.rooms.starting.set_cores(quota)?;
        self.state().cores = Some(cores);
        Ok(())
    }

    /// CPU time the starting instances have used together, in seconds since their group was made.
    pub fn used_s(&self) -> Result<f64, GroupError> {
        self.0.rooms.starting.used_s()
    }

    /// What each instance uses, as a source of samples.
    pub fn starts(&self) -> GroupStarts {
        GroupStarts::new(self.clone())
    }

    pub(super) fn periods(&self) -> Result<(f64, f64), GroupError> {
        self.0.rooms.starting.periods()
    }

    fn starting(&self, instance: &InstanceId) -> Cgroup {
        self.0.rooms.starting.child(&group_name(instance))
    }

    fn serving(&self, instance: &InstanceId) -> Cgroup {
        self.0.rooms.serving.child(&group_name(instance))
    }

    /// Removes all of them that are empty; says whether nothing is left.
    pub fn remove_all(&self) -> bool {
        self.sweep();
        self.0.rooms.remove()
    }

    #[cfg(test)]
    pub(super) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }
}

fn group_name(instance: &InstanceId) -> String {
    format!("{PREFIX}{}", name(instance.as_str()))
}

fn instances(room: &Cgroup) -> BTreeMap<InstanceId, Cgroup> {
    let instance = |child: String| {
        let id = child.strip_prefix(PREFIX)?.replace("%2F", "/").parse().ok()?;
        Some((id, room.child(&child)))
    };
    room.children().into_iter().filter_map(instance).collect()
}
