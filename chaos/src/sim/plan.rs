//! What one seed plays: the world, the hours, and which faults happen when. Drawn from the seed and nothing else.

use std::path::Path;

use anyhow::Context as _;
use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::{Planned, draw};
use crate::{
    experiment::catalogue::FaultKind,
    world::{BackgroundSpec, Missing, boot::BootSpec, stream},
};

/// Hours in which people come to work.
const START_HOURS: std::ops::RangeInclusive<u32> = 7..=9;
const PLAYED_S: u32 = 2 * 3_600;
/// Nothing happens in the first minutes, in which everything is started.
const QUIET_S: u32 = 180;
/// The longest a fault may be on.
const LONGEST_S: u32 = PLAYED_S / 2;
/// Nearly a third of what a run costs is that somebody looks.
const LOOK_EVERY_S: u32 = 30;
/// Stream of the seed that plans draw from; worlds use those below 200.
const STREAM: u64 = 900;

/// One run, complete: the same plan gives the same history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub hosts: usize,
    pub instances: usize,
    pub host_wakes_max: u32,
    /// Of each host.
    #[serde(default = "default_cores")]
    pub cores: f64,
    /// In percent.
    #[serde(default = "default_ceiling")]
    pub cpu_ceiling_percent: f64,
    /// Share of a host's CPU that everything but boots uses: on average, and at most.
    #[serde(default = "default_background")]
    pub background: (f64, f64),
    /// Mean CPU of a boot, in core-seconds, and how long one takes at least.
    #[serde(default = "default_boot_core_s")]
    pub boot_core_s: f64,
    #[serde(default = "default_boot_s")]
    pub boot_s: u32,
    /// Most cores a boot may use; one of these is drawn.
    #[serde(default = "default_boot_cores_max")]
    pub boot_cores_max: Vec<f64>,
    /// What the controller assumes of a start before it has learned, in cores and seconds.
    #[serde(default = "default_wake_cost")]
    pub wake_cost: (f64, u32),
    /// Local hour of the first day at which it begins.
    pub start_hour: u32,
    /// Seconds in which users come and faults happen.
    pub played_s: u32,
    /// Seconds between two looks at the controller's wakes and gates.
    #[serde(default = "default_look_every_s")]
    pub look_every_s: u32,
    /// People who ask for an instance, in order.
    pub asks: Vec<Ask>,
    pub faults: Vec<Planned>,
    /// A message that is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// What has to be so before anything begins, for the sake of faults that are added while it is played.
    #[serde(skip)]
    pub foreseen: Vec<FaultKind>,
}

/// Somebody asks the controller for an instance, whether it is asleep or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Seconds from the start of the run.
    pub at_s: u32,
    /// Counted from 0.
    pub instance: usize,
}

impl Plan {
    /// Hours without faults.
    pub fn calm(seed: u64) -> Self {
        let mut rng = stream(seed, STREAM);
        let (hosts, instances) = (rng.random_range(1..=3), rng.random_range(20..=45));
        let ask = |rng: &mut StdRng| Ask {
            at_s: rng.random_range(QUIET_S..PLAYED_S),
            instance: rng.random_range(0..instances),
        };
        let mut asks: Vec<Ask> = (0..rng.random_range(5..=25)).map(|_| ask(&mut rng)).collect();
        asks.sort_by_key(|ask| ask.at_s);
        Self {
            seed,
            hosts,
            instances,
            host_wakes_max: rng.random_range(1..=4),
            cores: default_cores(),
            cpu_ceiling_percent: default_ceiling(),
            background: default_background(),
            boot_core_s: default_boot_core_s(),
            boot_s: default_boot_s(),
            boot_cores_max: default_boot_cores_max(),
            wake_cost: default_wake_cost(),
            start_hour: rng.random_range(START_HOURS),
            played_s: PLAYED_S,
            look_every_s: LOOK_EVERY_S,
            asks,
            faults: Vec::new(),
            missing: None,
            foreseen: Vec::new(),
        }
    }

    /// Everything that may happen in it.
    pub(super) fn whats(&self) -> impl Iterator<Item = &FaultKind> {
        self.faults.iter().map(|planned| &planned.what).chain(&self.foreseen)
    }

    /// The same hours, and a random subset of all faults, of random strength, at random times.
    pub fn swarm(seed: u64) -> Self {
        let mut plan = Self::calm(seed);
        let mut rng = stream(seed, STREAM + 1);
        // Each run leaves most kinds out: where everything happens at once, much hides behind the loudest.
        let is_in = rng.random_range(0.05..0.35);
        plan.faults = draw::draw(&mut rng, is_in, plan.hosts, |rng| {
            let for_s = rng.random_range(20..LONGEST_S);
            (rng.random_range(QUIET_S..PLAYED_S - for_s), for_s)
        });
        plan
    }

    /// The same hours, and a fault of each of these kinds, of random strength, that begin soon after each other: what needs
    /// several at once rarely comes about in a random subset.
    pub fn directed(seed: u64, kinds: &[&str]) -> Self {
        let mut plan = Self::calm(seed);
        let mut rng = stream(seed, STREAM + 2);
        let (lasts_s, early_s) = (LONGEST_S / 4..LONGEST_S, LONGEST_S / 12);
        let begins_s = rng.random_range(QUIET_S..PLAYED_S - LONGEST_S - early_s);
        let all = draw::draw(&mut rng, 1.0, plan.hosts, |rng| {
            (begins_s + rng.random_range(0..early_s), rng.random_range(lasts_s.clone()))
        });
        plan.faults = all.into_iter().filter(|planned| kinds.contains(&planned.kind())).collect();
        plan
    }
}

/// As often as experiments look, whose predictions are of what is seen.
pub(crate) fn default_look_every_s() -> u32 {
    20
}

fn default_cores() -> f64 {
    16.0
}

fn default_ceiling() -> f64 {
    70.0
}

fn default_background() -> (f64, f64) {
    let BackgroundSpec { mean_share, share_max, .. } = BackgroundSpec::default();
    (mean_share, share_max)
}

fn default_boot_core_s() -> f64 {
    BootSpec::default().work_core_s
}

fn default_boot_cores_max() -> Vec<f64> {
    BootSpec::default().cores_max
}

/// A little more than the dearest boot, as whoever runs it would set it.
fn default_wake_cost() -> (f64, u32) {
    (2.5, 240)
}

fn default_boot_s() -> u32 {
    BootSpec::default().wall_min_s as u32
}

/// Most hosts and instances of a world that is simulated.
const HOSTS_MAX: usize = 1_000;
const INSTANCES_MAX: usize = 5_000;
/// The presence sample has a week.
const PLAYED_S_MAX: u32 = 6 * 86_400;

impl Plan {
    /// From a file; what is read can be played.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
        let plan: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is not a plan", path.display()))?;
        plan.check()
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("{} cannot be played", path.display()))?;
        Ok(plan)
    }

    /// Whether it can be played; the error says what cannot.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("`{name}` is {value}, not {low}..={high}"))
            }
        };
        within("hosts", self.hosts as u64, 1, HOSTS_MAX as u64)?;
        within("instances", self.instances as u64, 1, INSTANCES_MAX as u64)?;
        within("host_wakes_max", self.host_wakes_max.into(), 1, 1_000)?;
        if !(1.0..=1_024.0).contains(&self.cores) {
            return Err(format!("`cores` is {}, not 1..=1024", self.cores));
        }
        if !(1.0..=100.0).contains(&self.cpu_ceiling_percent) {
            return Err(format!("`cpu_ceiling_percent` is {}, not 1..=100", self.cpu_ceiling_percent));
        }
        let (mean, most) = self.background;
        if !(0.0..=1.0).contains(&mean) || !(mean..=1.0).contains(&most) {
            return Err(format!(
                "`background` is {mean} and at most {most}, not shares of 0..=1 in this order"
            ));
        }
        if !(0.1..=1e6).contains(&self.boot_core_s) {
            return Err(format!("`boot_core_s` is {}, not 0.1..=1000000", self.boot_core_s));
        }
        if self.boot_cores_max.is_empty()
            || self.boot_cores_max.iter().any(|cores| !(0.01..=1e3).contains(cores))
        {
            return Err("`boot_cores_max` is empty, or has one that is not 0.01..=1000".to_owned());
        }
        within("boot_s", self.boot_s.into(), 5, 86_400)?;
        within("start_hour", self.start_hour.into(), 0, 23)?;
        within("look_every_s", self.look_every_s.into(), 1, 3_600)?;
        within("played_s", self.played_s.into(), 60, PLAYED_S_MAX.into())?;
        if let Some(place) = self.asks.iter().position(|ask| ask.instance >= self.instances) {
            let instance = self.asks[place].instance;
            return Err(format!("`asks[{place}].instance` is {instance}, and there are {}", self.instances));
        }
        for (place, planned) in self.faults.iter().enumerate() {
            let kind = planned.kind();
            if !planned.is_playable() {
                return Err(format!("`faults[{place}]`: {kind} cannot be simulated"));
            }
            let beyond = |name: &str, named: &[usize], has: usize| {
                let one = named.iter().find(|one| **one >= has);
                one.map_or(Ok(()), |one| {
                    Err(format!("`faults[{place}].{name}` has {one}, and there are {has}"))
                })
            };
            beyond("hosts", &planned.hosts, self.hosts)?;
            beyond("instances", &planned.instances, self.instances)?;
            let until_s = u64::from(planned.at_s) + u64::from(planned.for_s);
            if until_s > self.played_s.into() {
                return Err(format!("`faults[{place}]` is on until {until_s} s, beyond `played_s`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::experiment::catalogue::{FaultKind, link::Reset};

    #[test]
    fn a_seed_is_a_plan_and_plans_differ() {
        assert_eq!(Plan::swarm(7), Plan::swarm(7));
        assert_ne!(Plan::swarm(7), Plan::swarm(8));
        let plan = Plan::swarm(7);
        let text = serde_json::to_string(&plan).expect("serializable");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("readable"), plan);
    }

    #[test]
    fn a_hundred_seeds_draw_every_kind_and_leave_every_kind_out() {
        let plans: Vec<Plan> = (0..100).map(Plan::swarm).collect();
        let kinds = |plan: &Plan| plan.faults.iter().map(Planned::kind).collect::<BTreeSet<_>>();
        let drawn: BTreeSet<&str> = plans.iter().flat_map(kinds).collect();
        assert_eq!(drawn.len(), draw::kinds());
        for kind in drawn {
            let with = plans.iter().filter(|plan| kinds(plan).contains(kind)).count();
            assert!((5..60).contains(&with), "{kind} in {with} of 100");
        }
        for plan in plans {
            assert_eq!(plan.check(), Ok(()));
        }
    }

    #[test]
    fn a_directed_plan_has_the_kinds_it_is_directed_at_together() {
        let kinds = ["agent.clone", "store.hang"];
        for seed in 0..100 {
            let plan = Plan::directed(seed, &kinds);
            assert_eq!(plan.check(), Ok(()));
            assert_eq!(plan.faults.iter().map(Planned::kind).collect::<BTreeSet<_>>(), BTreeSet::from(kinds));
            let [first, second] = &plan.faults[..] else { panic!("two faults") };
            assert!(first.at_s + first.for_s > second.at_s, "{first:?} is over before {second:?}");
        }
        assert_ne!(Plan::directed(1, &kinds), Plan::directed(2, &kinds));
    }

    #[test]
    fn what_cannot_be_played_is_said_with_its_field() {
        let reset = |host| Planned {
            at_s: 700,
            for_s: 60,
            hosts: vec![host],
            instances: Vec::new(),
            what: FaultKind::LinkReset(Reset::default()),
        };
        let plan = Plan { hosts: 2, ..Plan::calm(1) };
        let said = |plan: Plan| plan.check().expect_err("it cannot be played");
        assert!(said(Plan { hosts: 0, ..plan.clone() }).contains("`hosts` is 0"));
        assert!(said(Plan { faults: vec![reset(2)], ..plan.clone() }).contains("`faults[0].hosts` has 2"));
        let live = Planned {
            what: FaultKind::read("link.tls", &serde_json::Map::new()).expect("a kind"),
            ..reset(0)
        };
        assert!(said(Plan { faults: vec![live], ..plan.clone() }).contains("link.tls cannot be simulated"));
        let asks = vec![Ask { at_s: 300, instance: 9_999 }];
        assert!(said(Plan { asks, ..plan.clone() }).contains("`asks[0].instance` is 9999"));
        assert!(said(Plan { played_s: 700, faults: vec![reset(0)], ..plan }).contains("beyond `played_s`"));
    }
}
