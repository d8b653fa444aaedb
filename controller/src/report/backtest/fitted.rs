//! Runs the fitted model over recorded presence, quarter hour by quarter hour, for several budgets at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{
    budget::{Budget, BudgetRun},
    calibration::Calibration,
    presence::{BOOT_S, HOLD_S, IDLE_S, Traced, WINDOW_S},
};
use crate::{
    model::{AbstainRule, Crowds, Moment, Profile, Rule, Scored, Scorer, features::Scene},
    plan::{Candidate, HoldOut, Outlook, PlanInput, Presence, SLOT_S, plan},
    policy::{Mode, Policy},
};

const DAY_S: i64 = 86_400;

/// What is replayed.
#[derive(Debug, Clone, Copy)]
pub struct FittedReplay<'a> {
    pub traced: &'a [Traced],
    pub scorer: &'a Scorer,
    /// Idle hours per instance and day.
    pub budgets_h: &'a [f64],
    /// Thresholds stay where they begin: the model is judged, and not how a budget is kept.
    pub steady: bool,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedRun {
    /// In the order of the budgets.
    pub budgets: Vec<BudgetRun>,
    /// Of an arrival within 3 h, at every quarter hour that an enrolled instance slept.
    pub calibration: Calibration,
}

/// Replays every enrolled day; `progress` is told after each with how many of how many are done.
///
/// What is looked at to decide is past: sightings up to the quarter hour, and holds that have ended. Which days are
/// enrolled is part of the trace; only their end is told by what follows, as the scorer has it.
pub fn replay_fitted(replay: FittedReplay<'_>, mut progress: impl FnMut(usize, usize)) -> FittedRun {
    let mut by_day: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, traced) in replay.traced.iter().enumerate() {
        for day in traced.enrolled_days() {
            by_day.entry(*day).or_default().push(index);
        }
    }
    let days = by_day.len();
    let mut world = World::new(replay);
    for (done, (day, indices)) in by_day.into_iter().enumerate() {
        let midnight_s = i64::from(day) * DAY_S;
        world.look_around(&indices, midnight_s);
        for slot in 0..DAY_S / SLOT_S {
            world.decide(&indices, midnight_s + slot * SLOT_S);
        }
        if !replay.steady {
            for budget in &mut world.budgets {
                budget.end_day(midnight_s + DAY_S, indices.len() as u64);
            }
        }
        progress(done + 1, days);
    }
    FittedRun {
        budgets: world.budgets.into_iter().map(Budget::finish).collect(),
        calibration: world.calibration,
    }
}

/// What is known of one instance by now.
#[derive(Default)]
struct Known {
    profile: Profile,
    /// Sightings taken.
    seen: usize,
    last_seen_s: Option<i64>,
    /// What its user's clock is ahead of the trace's.
    offset_s: i32,
}

impl Known {
    /// Takes the sightings up to `now_s`.
    fn catch_up(&mut self, traced: &Traced, now_s: i64) {
        while let Some((at_s, offset_s)) = traced.sighting(self.seen).filter(|(at_s, _)| *at_s <= now_s) {
            self.profile.see_second(at_s, offset_s, IDLE_S);
            self.offset_s = offset_s;
            self.last_seen_s = Some(at_s);
            self.seen += 1;
        }
    }

    fn sleeps(&self, now_s: i64) -> bool {
        self.last_seen_s.is_none_or(|at_s| now_s >= at_s + IDLE_S)
    }
}

/// A sleeping instance that at least one budget may wake.
struct Worthy {
    index: usize,
    scored: Scored,
    /// What the score is at most at a first look.
    bound: f32,
}

struct World<'a> {
    replay: FittedReplay<'a>,
    known: Vec<Known>,
    budgets: Vec<Budget>,
    calibration: Calibration,
    abstain: AbstainRule,
    settings: Settings<'a>,
    /// What the fleet does, learned as the days go by.
    crowds: Option<Crowds>,
    /// The scenes of the day that were met so far: clocks of different zones show the same time one after the other.
    scenes: BTreeMap<Moment, Scene>,
}

/// What does not change during the replay.
struct Settings<'a> {
    by_id: BTreeMap<&'a InstanceId, usize>,
    rule: Rule,
    policy: Policy,
    zone: TimeZone,
    host: Option<HostId>,
    no_wakes_due: BTreeMap<i64, u32>,
    /// Nobody: a replay wakes no one, so there is nothing to compare with.
    hold_out: HoldOut,
}

impl<'a> World<'a> {
    fn new(replay: FittedReplay<'a>) -> Self {
        let instances = replay.traced.len();
        let budget = |budget_h: &f64| {
            let start = replay.scorer.fitted().threshold(*budget_h);
            Budget::new(*budget_h, start, instances)
        };
        Self {
            replay,
            known: (0..instances).map(|_| Known::default()).collect(),
            budgets: replay.budgets_h.iter().map(budget).collect(),
            calibration: Calibration::default(),
            abstain: AbstainRule::default(),
            crowds: None,
            scenes: BTreeMap::new(),
            settings: Settings {
                by_id: replay.traced.iter().enumerate().map(|(i, t)| (t.instance(), i)).collect(),
                rule: Rule::default(),
                // Without caps: what the model is worth, not what the fleet can bear.
                policy: Policy { mode: Mode::Act, fleet_wakes_per_hour_max: u32::MAX, ..Policy::default() },
                zone: TimeZone::UTC,
                host: HostId::new("replay").ok(),
                no_wakes_due: BTreeMap::new(),
                hold_out: HoldOut::default(),
            },
        }
    }

    /// Learns what the crowd does, as production does by the hour; by the day is often enough for what is past.
    fn look_around(&mut self, indices: &[usize], now_s: i64) {
        for index in indices {
            self.known[*index].catch_up(&self.replay.traced[*index], now_s);
        }
        let people = indices.iter().map(|index| {
            let Known { profile, offset_s, .. } = &self.known[*index];
            ("", profile, Moment::of_second(now_s, *offset_s))
        });
        self.scenes.clear();
        self.crowds = Some(Crowds::learn(people, &self.replay.scorer.fitted().population));
    }

    /// One quarter hour: each sleeping instance is scored once, then each budget makes its plan.
    fn decide(&mut self, indices: &[usize], now_s: i64) {
        let worthy = self.score(indices, now_s);
        if worthy.is_empty() {
            return;
        }
        let Self { replay, known, budgets, settings, .. } = self;
        for budget in budgets {
            let candidates = worthy.iter().map(|worthy| {
                let last_seen_s = known[worthy.index].last_seen_s.unwrap_or(i64::MIN);
                let held = budget.held_until_s(worthy.index, last_seen_s, now_s);
                let presence =
                    held.map_or(Presence::Asleep, |until_s| Presence::Covered { until: instant(until_s) });
                let is_unlikely = worthy.bound < budget.threshold();
                let outlook =
                    if is_unlikely { Outlook::Unlikely } else { Outlook::Scored(Ok(worthy.scored)) };
                settings.candidate(&replay.traced[worthy.index], outlook, presence)
            });
            let made = plan(PlanInput {
                now: instant(now_s),
                horizon: SignedDuration::from_secs(SLOT_S),
                rule: &settings.rule,
                threshold: budget.threshold(),
                policy: &settings.policy,
                model_version: 0,
                hold: SignedDuration::from_secs(HOLD_S),
                already_due_per_hour: &settings.no_wakes_due,
                hold_out: &settings.hold_out,
                candidates,
            });
            for wake in made.wakes {
                if let Some(index) = settings.by_id.get(&wake.instance) {
                    budget.wake(*index, &replay.traced[*index], wake.due_at.as_second());
                }
            }
        }
    }

    /// The sleeping instances whose score reaches the lowest threshold. The others the plan would leave alone at its
    /// first look, so they are not put to it.
    fn score(&mut self, indices: &[usize], now_s: i64) -> Vec<Worthy> {
        let lowest = self.budgets.iter().map(Budget::threshold).fold(f32::INFINITY, f32::min);
        let scorer = self.replay.scorer;
        let mut worthy = Vec::new();
        for index in indices {
            let (traced, known) = (&self.replay.traced[*index], &mut self.known[*index]);
            known.catch_up(traced, now_s);
            if !known.sleeps(now_s) {
                continue;
            }
            let moment = Moment::of_second(now_s, known.offset_s);
            let scene = scene(&mut self.scenes, scorer, self.crowds.as_ref(), moment);
            let profile = &known.profile;
            if self.abstain.check(profile, scene.moment()).is_err() {
                continue;
            }
            let features = scorer.features(profile, scene);
            // The next sighting of one that sleeps is an arrival.
            let came = traced.sighting(known.seen).is_some_and(|(at_s, _)| at_s - now_s <= WINDOW_S);
            self.calibration.count(scorer.probability(&features, WINDOW_S as f64), came);
            if scorer.fitted().score(&features) >= lowest {
                let scored = scorer.scored(profile, scene, WINDOW_S);
                worthy.push(Worthy { index: *index, scored, bound: scorer.bound(profile, scene) });
            }
        }
        worthy
    }
}

impl Settings<'_> {
    fn candidate<'c>(
        &'c self,
        traced: &'c Traced,
        outlook: Outlook<'c>,
        presence: Presence,
    ) -> Candidate<'c> {
        Candidate {
            instance: traced.instance(),
            cohort: "",
            host: self.host.as_ref(),
            zone: &self.zone,
            outlook,
            presence,
            lead_time: SignedDuration::from_secs(BOOT_S),
            opted_out: false,
        }
    }
}

/// The scene of all whose clocks agree, made when the first of them is met.
fn scene<'s>(
    scenes: &'s mut BTreeMap<Moment, Scene>,
    scorer: &Scorer,
    crowds: Option<&Crowds>,
    moment: Moment,
) -> &'s Scene {
    scenes.entry(moment).or_insert_with(|| match crowds {
        Some(crowds) => Scene::new(moment, &crowds.fleet().population(moment, false)),
        None => scorer.scene(moment),
    })
}

fn instant(at_s: i64) -> Timestamp {
    Timestamp::from_second(at_s).unwrap_or(Timestamp::MAX)
}
