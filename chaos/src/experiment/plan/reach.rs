//! How far a fault reaches: through a host to all on it, through a shared point to everybody.

use std::collections::BTreeSet;

use super::resolve::{Population, resolve};
use crate::experiment::file::{Choose, Mode, OnEmpty, Select, Target, TargetKind, World};

/// Hosts and instances whose wakes a fault can touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    pub hosts: BTreeSet<String>,
    pub instances: BTreeSet<String>,
}

impl Reach {
    pub fn add(&mut self, other: &Self) {
        self.hosts.extend(other.hosts.iter().cloned());
        self.instances.extend(other.instances.iter().cloned());
    }

    /// What is reached through these targets.
    pub fn through(kind: TargetKind, names: &[String], world: &World) -> Self {
        let all = Population::of(world);
        let is_host = |name: &String| all.hosts.contains(name);
        match kind {
            TargetKind::Instance => Self {
                hosts: names.iter().filter_map(|name| all.host_of(name)).collect(),
                instances: names.iter().cloned().collect(),
            },
            TargetKind::Host | TargetKind::Agent | TargetKind::Link => Self::of_hosts(names, &all),
            // The clock of a controller reaches whom the controller reaches.
            TargetKind::Clock if names.iter().all(is_host) => Self::of_hosts(names, &all),
            _ if names.is_empty() => Self::default(),
            _ => Self::of_hosts(&all.hosts, &all),
        }
    }

    fn of_hosts(hosts: &[String], all: &Population) -> Self {
        let instances = hosts.iter().flat_map(|host| all.on(host)).cloned().collect();
        Self { hosts: hosts.iter().cloned().collect(), instances }
    }
}

/// The most a fault with this target can reach with any seed. `target` is `None` for one of a kind (`any-host`).
pub fn widest(name: &str, target: Option<&Target>, world: &World) -> Reach {
    let Some(target) = target.cloned().or_else(|| one_of_a_kind(name)) else { return Reach::default() };
    let mut widest = target.clone();
    for choose in [&mut widest.select.host, &mut widest.select.instances].into_iter().flatten() {
        if choose.mode == Mode::RandomMaxPercent {
            choose.mode = Mode::Percent;
        }
    }
    // Labels are drawn: nobody has them for sure.
    widest.exclude = None;
    let names = resolve(name, &widest, world, 0).names;
    Reach::through(target.kind, &names, world)
}

/// What `any-KIND` stands for.
pub(super) fn one_of_a_kind(name: &str) -> Option<Target> {
    let kind: TargetKind = serde_json::from_value(name.strip_prefix("any-")?.into()).ok()?;
    let one = Some(Choose { mode: Mode::One, value: None, names: Vec::new() });
    let mut target = Target { kind, select: Select::default(), exclude: None, on_empty: OnEmpty::Fail };
    match kind {
        TargetKind::Host | TargetKind::Agent | TargetKind::Link | TargetKind::Clock => {
            target.select.host = one;
        }
        TargetKind::Instance => {
            target.select.host.clone_from(&one);
            target.select.instances = one;
        }
        TargetKind::Endpoint => target.select.endpoint = one,
        TargetKind::Controller => target.select.controller = one,
        TargetKind::Feed => target.select.feed = one,
        TargetKind::Store | TargetKind::Operator => {}
    }
    Some(target)
}
