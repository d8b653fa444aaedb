//! One planning tick: every sleeping instance is scored for the next quarter hour, and the production planner chooses.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reveille_proto::HostId;
use tokio::time::Instant;

use super::fleet::{Fleet, NOW_S, now};
use crate::{
    model::{AbstainRule, Rule, Scorer, features::WINDOW_QUARTERS},
    plan::{Candidate, HoldOut, PlanInput, Presence, plan},
    policy::Policy,
    tasks::{Ask, Round, Scenes, score_all},
};

/// Idle hours per instance and day whose threshold is planned with.
const BUDGET_H: f64 = 2.0;
/// From the start of a wake until the instance serves.
const LEAD_S: i64 = 300;
/// Instances of a host.
const HOST_INSTANCES: usize = 200;
/// One wake an hour for so many instances is what the cap allows.
const INSTANCES_PER_WAKE: u32 = 25;

/// What a tick took, and did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tick {
    pub(super) whole_s: f64,
    pub(super) score_s: f64,
    pub(super) plan_s: f64,
    pub(super) asleep: usize,
    /// Of those, the ones that a first look told to be unlikely.
    pub(super) unlikely: usize,
    pub(super) wakes: usize,
}

/// What planning needs beside the profiles.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) scorer: Scorer,
    threads: usize,
    hosts: Vec<HostId>,
    rule: Rule,
    hold_out: HoldOut,
}

impl Desk {
    pub(super) fn new(scorer: Scorer, threads: usize, instances: usize) -> Self {
        let host = |n: usize| HostId::new(format!("host{n}")).unwrap_or_else(|_| unreachable!("an id"));
        let hosts = (0..instances.div_ceil(HOST_INSTANCES)).map(host).collect();
        let hold_out = HoldOut { share: 0.05, salt: String::new() };
        Self { scorer, threads, hosts, rule: Rule::default(), hold_out }
    }

    /// Plans for the first `count` instances.
    pub(super) fn tick(&self, fleet: &Fleet, count: usize) -> Tick {
        let threshold = self.scorer.fitted().threshold(BUDGET_H);
        let round = Round {
            scorer: &self.scorer,
            abstain: AbstainRule::default(),
            threshold,
            window_s: i64::from(WINDOW_QUARTERS) * 900,
        };
        let policy = Policy {
            fleet_wakes_per_hour_max: (count as u32).div_ceil(INSTANCES_PER_WAKE),
            ..Policy::default()
        };
        let began = Instant::now();
        let mut scenes = Scenes::default();
        let places: Vec<_> = fleet.zones.iter().map(|zone| scenes.at(&self.scorer, now(), zone)).collect();
        let outlooks = score_all(&round, count, self.threads, |index| {
            if fleet.is_awake(index) {
                return Ask::Awake;
            }
            let scene = scenes.get(places[usize::from(fleet.zone_of[index])]);
            Ask::Asleep { profile: &fleet.profiles[index], scene }
        });
        let score_s = began.elapsed().as_secs_f64();
        let until = jiff::Timestamp::constant(NOW_S + 3_600, 0);
        let mut asleep = 0;
        let candidates = outlooks.iter().enumerate().map(|(index, outlook)| {
            let is_awake = matches!(outlook, crate::plan::Outlook::Awake);
            asleep += usize::from(!is_awake);
            Candidate {
                instance: &fleet.instances[index],
                cohort: "dev",
                host: Some(&self.hosts[index / HOST_INSTANCES]),
                zone: &fleet.zones[usize::from(fleet.zone_of[index])],
                outlook: *outlook,
                presence: if is_awake { Presence::Awake { until } } else { Presence::Asleep },
                lead_time: SignedDuration::from_secs(LEAD_S),
                opted_out: false,
            }
        });
        let made = plan(PlanInput {
            now: now(),
            horizon: SignedDuration::from_mins(15),
            rule: &self.rule,
            threshold,
            policy: &policy,
            model_version: 1,
            hold: SignedDuration::from_secs(round.window_s),
            already_due_per_hour: &BTreeMap::new(),
            starts_at_once: &BTreeMap::new(),
            hold_out: &self.hold_out,
            candidates,
        });
        let wakes = made.wakes.len();
        let whole_s = began.elapsed().as_secs_f64();
        Tick {
            whole_s,
            score_s,
            plan_s: whole_s - score_s,
            asleep,
            unlikely: made.passed.unlikely as usize,
            wakes,
        }
    }

    /// The median of several ticks, by what they took in all.
    pub(super) fn median_tick(&self, fleet: &Fleet, count: usize, repeats: usize) -> Tick {
        let mut ticks: Vec<_> = (0..repeats.max(1)).map(|_| self.tick(fleet, count)).collect();
        ticks.sort_by(|a, b| a.whole_s.total_cmp(&b.whole_s));
        ticks[ticks.len() / 2]
    }
}
