//! What one seed plays: the world, the hours, and which faults happen when. Drawn from the seed and nothing else.

use std::collections::BTreeSet;

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};

use super::{Fault, Planned};
use crate::world::stream;

/// Hours in which people come to work.
const START_HOURS: std::ops::RangeInclusive<u32> = 7..=9;
const PLAYED_S: u32 = 2 * 3_600;
/// Nothing happens in the first minutes, in which everything is started.
const QUIET_S: u32 = 180;
/// The longest a fault may be on.
const LONGEST_S: u32 = PLAYED_S / 2;
/// Stream of the seed that plans draw from; worlds use those below 200.
const STREAM: u64 = 900;

/// One run, complete: the same plan gives the same history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub hosts: usize,
    pub instances: usize,
    pub host_wakes_max: u32,
    /// Local hour of the first day at which it begins.
    pub start_hour: u32,
    /// Seconds in which users come and faults happen.
    pub played_s: u32,
    /// People who ask for an instance, in order.
    pub asks: Vec<Ask>,
    pub faults: Vec<Planned>,
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
            start_hour: rng.random_range(START_HOURS),
            played_s: PLAYED_S,
            asks,
            faults: Vec::new(),
        }
    }

    /// The same hours, and a random subset of all faults, of random strength, at random times.
    pub fn swarm(seed: u64) -> Self {
        let mut plan = Self::calm(seed);
        let mut rng = stream(seed, STREAM + 1);
        // Each run leaves most kinds out: where everything happens at once, much hides behind the loudest.
        let is_in = rng.random_range(0.1..0.5);
        for draw in DRAWS {
            if !rng.random_bool(is_in) {
                continue;
            }
            let fault = draw(&mut rng, plan.hosts);
            let for_s = rng.random_range(20..LONGEST_S);
            let at_s = rng.random_range(QUIET_S..plan.played_s - for_s);
            plan.faults.push(Planned { at_s, for_s, instances: Vec::new(), fault });
        }
        plan.faults.sort_by_key(|planned| (planned.at_s, planned.fault.kind()));
        plan
    }
}

/// Most hosts and instances of a world that is simulated.
const HOSTS_MAX: usize = 100;
const INSTANCES_MAX: usize = 5_000;
/// The presence sample has a week.
const PLAYED_S_MAX: u32 = 6 * 86_400;

impl Plan {
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
        within("start_hour", self.start_hour.into(), 0, 23)?;
        within("played_s", self.played_s.into(), 60, PLAYED_S_MAX.into())?;
        if let Some(place) = self.asks.iter().position(|ask| ask.instance >= self.instances) {
            let instance = self.asks[place].instance;
            return Err(format!("`asks[{place}].instance` is {instance}, and there are {}", self.instances));
        }
        let mut kinds = BTreeSet::new();
        for (place, planned) in self.faults.iter().enumerate() {
            let kind = planned.fault.kind();
            if !kinds.insert((kind, planned.fault.host())) {
                return Err(format!("`faults[{place}]`: there is a {kind} already"));
            }
            if let Some(instance) = planned.instances.iter().find(|one| **one >= self.instances) {
                let has = self.instances;
                return Err(format!("`faults[{place}].instances` has {instance}, and there are {has}"));
            }
            if let Some(host) = planned.fault.host().filter(|host| *host >= self.hosts) {
                return Err(format!("`faults[{place}].host` is {host}, and there are {} hosts", self.hosts));
            }
            let until_s = u64::from(planned.at_s) + u64::from(planned.for_s);
            if until_s > self.played_s.into() {
                return Err(format!("`faults[{place}]` is on until {until_s} s, beyond `played_s`"));
            }
        }
        Ok(())
    }
}

/// A fault of random strength, in a world of so many hosts.
type Draw = fn(&mut StdRng, usize) -> Fault;

const DRAWS: [Draw; 16] = [
    |rng, _| Fault::HttpError { share: share(rng) },
    |rng, _| Fault::Throttled { share: share(rng) },
    |rng, _| Fault::Refused { share: share(rng) },
    |rng, _| Fault::LostResponse { share: share(rng) },
    |rng, _| Fault::HalfOpen { share: share(rng) },
    |rng, _| Fault::NeverUp { share: share(rng) },
    |rng, _| Fault::SlowWake { factor: rng.random_range(1.5..6.0) },
    |rng, hosts| Fault::LyingLoad { host: rng.random_range(0..hosts), cpu_percent: lie(rng) },
    |rng, hosts| Fault::CpuNoise { host: rng.random_range(0..hosts), share: rng.random_range(0.1..0.6) },
    |rng, hosts| Fault::AgentCrash { host: rng.random_range(0..hosts) },
    |_, _| Fault::ControllerCrash {},
    |rng, hosts| Fault::Partition { host: rng.random_range(0..hosts) },
    |rng, hosts| Fault::OneWay { host: rng.random_range(0..hosts), up: rng.random() },
    |rng, hosts| {
        let (host, delay_ms) = (rng.random_range(0..hosts), rng.random_range(20..2_000));
        Fault::Latency { host, delay_ms, jitter_ms: rng.random_range(0..=delay_ms) }
    },
    |rng, hosts| Fault::Reset { host: rng.random_range(0..hosts) },
    |rng, hosts| Fault::StaleCommand { host: rng.random_range(0..hosts) },
];

fn share(rng: &mut StdRng) -> f64 {
    rng.random_range(0.05..1.0)
}

/// What a broken meter may say, in percent.
fn lie(rng: &mut StdRng) -> f64 {
    *[0.0, 1.0, 10.0, 99.0, 100.0, 150.0, -5.0].choose(rng).expect("it is not empty")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let kinds =
            |plan: &Plan| plan.faults.iter().map(|planned| planned.fault.kind()).collect::<BTreeSet<_>>();
        let drawn: BTreeSet<&str> = plans.iter().flat_map(kinds).collect();
        assert_eq!(drawn.len(), DRAWS.len());
        for kind in drawn {
            let with = plans.iter().filter(|plan| kinds(plan).contains(kind)).count();
            assert!((5..70).contains(&with), "{kind} in {with} of 100");
        }
        for plan in plans {
            assert_eq!(plan.check(), Ok(()));
        }
    }

    #[test]
    fn what_cannot_be_played_is_said_with_its_field() {
        let reset =
            |host| Planned { at_s: 700, for_s: 60, instances: Vec::new(), fault: Fault::Reset { host } };
        let plan = Plan { hosts: 2, ..Plan::calm(1) };
        let said = |plan: Plan| plan.check().expect_err("it cannot be played");
        assert!(said(Plan { hosts: 0, ..plan.clone() }).contains("`hosts` is 0"));
        assert!(said(Plan { faults: vec![reset(2)], ..plan.clone() }).contains("`faults[0].host` is 2"));
        assert!(said(Plan { faults: vec![reset(0), reset(0)], ..plan.clone() }).contains("`faults[1]`"));
        let asks = vec![Ask { at_s: 300, instance: 9_999 }];
        assert!(said(Plan { asks, ..plan.clone() }).contains("`asks[0].instance` is 9999"));
        assert!(said(Plan { played_s: 700, faults: vec![reset(0)], ..plan }).contains("beyond `played_s`"));
    }
}
