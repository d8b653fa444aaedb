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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::model::Fitted;

    static SCORER: LazyLock<Scorer> = LazyLock::new(|| Scorer::new(Fitted::embedded().clone()));

    fn traced(name: &str, sightings_s: Vec<i64>) -> Traced {
        Traced::new(InstanceId::new(name).expect("an id"), sightings_s, 5, None).expect("has sightings")
    }

    /// So easily had that whoever followed once is expected.
    fn rule() -> CovisitRule {
        CovisitRule {
            support_min: 1,
            confidence_min: 0.01,
            lift_min: 0.1,
            deviations: 0.0,
            ..CovisitRule::default()
        }
    }

    #[test]
    fn a_sighting_of_one_who_slept_is_an_arrival() {
        let seen = vec![0, 3_600, 10_800, 18_000];
        let traced = traced("dev1", seen).with_offsets_s(vec![60, 120, 180, 240]);
        let (mut known, mut arrived) = (Known::default(), Vec::new());
        assert!(known.sleeps(0), "it was never seen");
        known.catch_up(&traced, 10_799, |at_s, offset_s| arrived.push((at_s, offset_s)));
        assert_eq!((known.seen, known.last_seen_s, known.offset_s), (2, Some(3_600), 120));
        assert_eq!([3_600, 10_799, 10_800].map(|now_s| known.sleeps(now_s)), [false, false, true]);
        known.catch_up(&traced, 18_000, |at_s, offset_s| arrived.push((at_s, offset_s)));
        assert_eq!((known.seen, arrived), (4, vec![(0, 60), (10_800, 180), (18_000, 240)]));
    }

    #[test]
    fn who_followed_is_expected_until_the_span_is_over() {
        let fleet = ["a", "b", "c"].map(|name| traced(name, vec![0]));
        let replay = FittedReplay {
            traced: &fleet,
            scorer: &SCORER,
            budgets_h: &[],
            steady: false,
            covisits: Some(rule()),
        };
        let World { settings, following, .. } = World::new(replay);
        let mut following = following.expect("wanted");
        let mut tell = |arrived: &[(i64, usize)], now_s| {
            following.arrived.extend(arrived.iter().map(|(at_s, index)| (*at_s, *index, 3_600)));
            following.follow(&settings, &fleet, now_s);
            following.expected.clone()
        };
        // Every day the second comes ten minutes after the first, every other day the third.
        for day in 0..10 {
            let at_s = (day + 1) * DAY_S;
            let expected = tell(&[(at_s + 600, 1), (at_s, 0)], at_s + 900);
            assert!(day < 3 || expected.contains_key(&1), "day {day}: {expected:?}");
            let third = [(at_s + 1_200, 2)];
            tell(if day % 2 == 0 { &third } else { &[] }, at_s + 1_800);
            assert!(tell(&[], at_s + 20_000).is_empty());
        }
        let at_s = 20 * DAY_S;
        let expected = tell(&[(at_s, 0)], at_s + 60);
        assert_eq!(expected.keys().copied().collect::<Vec<_>>(), [1, 2]);
        let until_s = at_s + i64::from(rule().within_s);
        assert!(expected.values().all(|(_, until)| *until == until_s), "{expected:?}");
        assert!(expected[&1].0 > 0.7 && expected[&2].0 < 0.6, "{expected:?}");
        // The second says less of the third than the first: what was expected stays.
        let after = tell(&[(at_s + 600, 1)], at_s + 700);
        assert!(after[&2].0 >= expected[&2].0, "{after:?}");
        assert!(tell(&[], until_s - 1).contains_key(&1));
        assert!(!tell(&[], until_s).contains_key(&1));
    }

    /// Of four tenths who come within 40 minutes, in the middle on average; the others leave it awake for three hours.
    #[test]
    fn who_is_expected_is_beyond_all_thresholds_and_costs_what_is_likely() {
        let mut following = Following::new(rule());
        following.expected.insert(3, (0.4, 900));
        assert_eq!(following.scored(2), None);
        let scored = following.scored(3).expect("is expected");
        assert_eq!((scored.score.to_bits(), scored.waits), (f32::MAX.to_bits(), false));
        assert!((scored.probability - 0.4).abs() < 1e-12);
        assert!((scored.idle_h - (0.4 / 3.0 + 0.6 * 3.0)).abs() < 1e-12, "{}", scored.idle_h);
    }

    /// Seen at 09:20 on each of 32 days, and enrolled from the 30th on: awake at eight of the 96 quarter hours that begin a
    /// day, expected within three hours at twelve; on the day after the last nobody comes.
    #[test]
    fn every_quarter_hour_slept_through_is_a_forecast() {
        let regular = (0..32).map(|day| day * DAY_S + 9 * 3_600 + 1_200).collect();
        let fleet = [traced("dev1", regular)];
        let mut told = Vec::new();
        let replay =
            FittedReplay { traced: &fleet, scorer: &SCORER, budgets_h: &[1.0], steady: true, covisits: None };
        let run = replay_fitted(replay, |done, days| told.push((done, days)));
        assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
        let bins = run.calibration.reliability();
        let came: f64 = bins.iter().map(|bin| bin.observed_share * bin.count as f64).sum();
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 88 + 88 + 96);
        assert!((came - 24.0).abs() < 1e-9, "{came}");
        let budget = &run.budgets[0];
        assert_eq!(budget.threshold_end.to_bits(), budget.threshold_start.to_bits(), "it is steady");
        let steered = replay_fitted(FittedReplay { steady: false, ..replay }, |_, _| {});
        assert_ne!(steered.budgets[0].threshold_end.to_bits(), budget.threshold_start.to_bits());
    }
}
