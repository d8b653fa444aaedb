//! Runs the fitted model over recorded presence, quarter hour by quarter hour, for several budgets at once.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone},
};
use reveille_proto::{HostId, InstanceId};

use super::{
    budget::{Budget, BudgetRun},
    calibration::Calibration,
    presence::{BOOT_S, HOLD_S, IDLE_S, Traced, WINDOW_S},
};
use crate::{
    model::{
        AbstainRule, CovisitRule, Covisits, Crowds, Moment, Profile, Rule, Scored, Scorer, features::Scene,
    },
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
    /// Wakes whoever usually follows one that just arrived, too, whatever its score.
    pub covisits: Option<CovisitRule>,
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
    /// Takes the sightings up to `now_s`, and tells those that were arrivals.
    fn catch_up(&mut self, traced: &Traced, now_s: i64, mut arrived: impl FnMut(i64, i32)) {
        while let Some((at_s, offset_s)) = traced.sighting(self.seen).filter(|(at_s, _)| *at_s <= now_s) {
            if self.sleeps(at_s) {
                arrived(at_s, offset_s);
            }
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

/// Who follows whom, and who is therefore expected now.
struct Following {
    covisits: Covisits,
    /// Arrivals not yet told: when, who, and what the user's clock is ahead.
    arrived: Vec<(i64, usize, i32)>,
    /// How likely who comes, and until when that is expected.
    expected: BTreeMap<usize, (f64, i64)>,
}

impl Following {
    fn new(rule: CovisitRule) -> Self {
        Self { covisits: Covisits::new(rule), arrived: Vec::new(), expected: BTreeMap::new() }
    }

    /// Learns from the arrivals since the last time, and who is expected after them.
    fn follow(&mut self, settings: &Settings<'_>, traced: &[Traced], now_s: i64) {
        self.expected.retain(|_, (_, until_s)| *until_s > now_s);
        self.arrived.sort_unstable();
        for (at_s, index, offset_s) in self.arrived.drain(..) {
            let zone = Offset::from_seconds(offset_s).map_or(TimeZone::UTC, TimeZone::fixed);
            let instance = traced[index].instance();
            self.covisits.arrive(instance, "", instant(at_s), &zone);
            for triggered in self.covisits.triggered(instance, instant(now_s)) {
                let Some(follower) = settings.by_id.get(triggered.instance) else { continue };
                let expected = self.expected.entry(*follower).or_insert((0.0, i64::MIN));
                if triggered.probability > expected.0 {
                    *expected = (triggered.probability, triggered.until.as_second());
                }
            }
        }
    }

    /// What that says of a wake now: the score is beyond all thresholds.
    fn scored(&self, index: usize) -> Option<Scored> {
        let (probability, _) = *self.expected.get(&index)?;
        let hours = f64::from(self.covisits.rule().within_s) / 3_600.0;
        let hold_h = HOLD_S as f64 / 3_600.0;
        let idle_h = probability * hours / 2.0 + (1.0 - probability) * hold_h;
        Some(Scored { score: f32::MAX, probability, idle_h, waits: false })
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
    following: Option<Following>,
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
            following: replay.covisits.map(Following::new),
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
        self.catch_up(indices, now_s);
        let people = indices.iter().map(|index| {
            let Known { profile, offset_s, .. } = &self.known[*index];
            ("", profile, Moment::of_second(now_s, *offset_s))
        });
        self.scenes.clear();
        self.crowds = Some(Crowds::learn(people, &self.replay.scorer.fitted().population));
    }

    fn catch_up(&mut self, indices: &[usize], now_s: i64) {
        for index in indices {
            let arrived = |at_s, offset_s| {
                if let Some(following) = &mut self.following {
                    following.arrived.push((at_s, *index, offset_s));
                }
            };
            self.known[*index].catch_up(&self.replay.traced[*index], now_s, arrived);
        }
        if let Some(following) = &mut self.following {
            following.follow(&self.settings, self.replay.traced, now_s);
        }
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
                starts_at_once: &BTreeMap::new(),
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
        self.catch_up(indices, now_s);
        for index in indices {
            let (traced, known) = (&self.replay.traced[*index], &self.known[*index]);
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
            if let Some(scored) = self.following.as_ref().and_then(|following| following.scored(*index)) {
                worthy.push(Worthy { index: *index, scored, bound: f32::MAX });
            } else if scorer.fitted().score(&features) >= lowest {
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
