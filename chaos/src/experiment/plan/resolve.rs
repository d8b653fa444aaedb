//! From a selection to names: which hosts, agents or instances of the file's world a target is.

use serde_json::json;
use thiserror::Error;

use super::draw::{choose, generator};
use crate::{
    experiment::{
        catalogue::Refused,
        file::{Exclude, Target, TargetKind, World},
    },
    world::spec::{host_id, index_of, instance_id},
};

#[derive(Debug, Error)]
pub enum PlanError {
    #[error("the target `{0}` is empty, and its `on_empty` is `fail`")]
    Empty(String),
    #[error("the fault `{0}` has the target `{1}`, which there is not")]
    NoTarget(String, String),
    #[error("the fault `{id}` is none")]
    NoFault { id: String, source: Refused },
    #[error("failed to write the plan as JSON")]
    Json(#[source] serde_json::Error),
}

/// Whom a target is, before a rung narrows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub names: Vec<String>,
    /// How many the exclusion took out.
    pub excluded: usize,
}

/// Everybody in a world, under the names the world gives them.
#[derive(Debug)]
pub(super) struct Population {
    pub(super) hosts: Vec<String>,
    pub(super) instances: Vec<String>,
}

impl Population {
    pub(super) fn of(world: &World) -> Self {
        let hosts = world.fleet.hosts as usize;
        let instances = hosts * world.fleet.instances_per_host as usize;
        Self {
            hosts: (0..hosts).map(|index| host_id(index).to_string()).collect(),
            instances: (0..instances).map(|index| instance_id(index).to_string()).collect(),
        }
    }

    /// The instances of a host, in the order of their names.
    pub(super) fn on(&self, host: &str) -> impl Iterator<Item = &String> {
        let place = self.hosts.iter().position(|one| one == host).unwrap_or(usize::MAX);
        self.instances.iter().skip(place).step_by(self.hosts.len().max(1))
    }

    /// Instances are dealt to the hosts in turn, as the world does it.
    pub(super) fn host_of(&self, instance: &str) -> Option<String> {
        let index = index_of(instance)?;
        self.hosts.get(index % self.hosts.len().max(1)).cloned()
    }
}

/// The names of a target in a world; the same seed gives the same names.
pub fn resolve(name: &str, target: &Target, world: &World, seed: u64) -> Resolved {
    let mut rng = generator(seed, name);
    let select = &target.select;
    let all = Population::of(world);
    let mut hosts = || choose(&all.hosts, select.host.as_ref(), &mut rng);
    let numbered = |what: &str, count: u64| (1..=count).map(|n| format!("{what}-{n}")).collect::<Vec<_>>();
    let controllers = numbered("controller", world.controller.replicas);
    let names = match target.kind {
        TargetKind::Host | TargetKind::Agent | TargetKind::Link => hosts(),
        TargetKind::Clock if select.controller.is_none() && select.host.is_some() => hosts(),
        TargetKind::Controller | TargetKind::Clock => {
            choose(&controllers, select.controller.as_ref(), &mut rng)
        }
        TargetKind::Instance => {
            let hosts = hosts();
            let mut names = Vec::new();
            for host in hosts {
                let there: Vec<String> = all.on(&host).cloned().collect();
                names.extend(choose(&there, select.instances.as_ref(), &mut rng));
            }
            names
        }
        TargetKind::Endpoint => {
            let endpoints = ["portal_api", "activate_my_instance"].map(str::to_owned);
            choose(&endpoints, select.endpoint.as_ref(), &mut rng)
        }
        TargetKind::Feed => choose(&numbered("feed", world.logs.feeds), select.feed.as_ref(), &mut rng),
        TargetKind::Store => vec!["store".to_owned()],
        TargetKind::Operator => vec!["operator".to_owned()],
    };
    without(names, target.exclude.as_ref(), world, seed)
}

fn without(names: Vec<String>, exclude: Option<&Exclude>, world: &World, seed: u64) -> Resolved {
    let before = names.len();
    let out = |name: &String| {
        exclude.is_some_and(|exclude| {
            exclude.names.contains(name)
                || exclude.labels.iter().any(|(key, value)| labelled(name, key, value, world, seed))
        })
    };
    let names: Vec<String> = names.into_iter().filter(|name| !out(name)).collect();
    Resolved { excluded: before - names.len(), names }
}

/// Whether an instance of this world and seed has a label.
fn labelled(name: &str, key: &str, value: &str, world: &World, seed: u64) -> bool {
    use rand::RngExt as _;
    let share = world.fleet.labels.get(key).and_then(|values| values.get(value)).copied();
    let drawn = |share: f64| {
        generator(seed, &json!([name, key, value]).to_string()).random_bool(share.clamp(0.0, 1.0))
    };
    share.is_some_and(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::World;

    fn target(text: &str) -> Target {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn instances_are_chosen_on_the_chosen_host() {
        let victims = target(
            r#"{"kind": "instance", "select": {"host": {"mode": "one"}, "instances": {"mode": "percent", "value": 25}}}"#,
        );
        let world = World::default();
        let resolved = resolve("victims", &victims, &world, 7);
        assert_eq!(resolved.names.len(), 15);
        let all = Population::of(&world);
        let hosts: std::collections::BTreeSet<_> =
            resolved.names.iter().map(|name| all.host_of(name).unwrap()).collect();
        assert_eq!(hosts.len(), 1);
        assert_eq!(resolve("victims", &victims, &world, 7), resolved);
    }

    #[test]
    fn who_is_excluded_is_left_out_and_counted() {
        let mut world = World::default();
        world.fleet.labels.insert("tier".into(), [("vip".to_owned(), 0.5)].into());
        let all = target(
            r#"{"kind": "instance", "select": {}, "exclude": {"labels": {"tier": "vip"}, "names": ["dev001"]}}"#,
        );
        let resolved = resolve("all", &all, &world, 1);
        assert_eq!(resolved.names.len() + resolved.excluded, 240);
        assert!((80..160).contains(&resolved.excluded), "{}", resolved.excluded);
        assert!(!resolved.names.contains(&"dev001".to_owned()));
    }

    #[test]
    fn clocks_are_those_of_hosts_or_of_controllers() {
        let world = World::default();
        let of_host = target(r#"{"kind": "clock", "select": {"host": {"mode": "one"}}}"#);
        let of_controller = target(r#"{"kind": "clock", "select": {}}"#);
        assert!(resolve("c", &of_host, &world, 1).names[0].starts_with("host-"));
        assert_eq!(resolve("c", &of_controller, &world, 1).names, ["controller-1"]);
    }
}
