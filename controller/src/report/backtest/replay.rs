//! Runs the planner over recorded presence, day by day and hour by hour, for several rules at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{
    presence::{HOLD_S, Traced, day_of_second},
    score::Tally,
};
use crate::{
    model::{HourProfile, Rule, calendar::date_of},
    plan::{Candidate, HoldOut, Outlook, PlanInput, Presence, plan},
    policy::{Mode, Policy},
};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;

/// What is replayed.
#[derive(Debug)]
pub struct Replay<'a> {
    pub traced: &'a [Traced],
    /// They may differ in what they do with a profile, not in its `history_days`.
    pub rules: &'a [Rule],
    /// Lead time of every wake in seconds, at most an hour. Plans are made so long before each whole hour.
    pub lead_time_s: i64,
}

/// A wake the plan asked for and the instance slept at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedWake {
    pub instance: InstanceId,
    /// Seconds since 1970 of the trace's clock.
    pub at_s: i64,
}

/// The wakes of one rule so far.
struct Run<'a> {
    rule: &'a Rule,
    tally: Tally,
    wakes: Vec<ReplayedWake>,
    /// Per instance: the last wake, if nobody has come since.
    last_wake_s: Vec<Option<i64>>,
}

/// Replays every enrolled day; `progress` is told after each with how many of how many are done. For each rule, in
/// order: its counts and its wakes by time.
pub fn replay(
    replay: &Replay<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Vec<(Tally, Vec<ReplayedWake>)> {
    let mut by_day: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, traced) in replay.traced.iter().enumerate() {
        for day in traced.enrolled_days() {
            by_day.entry(*day).or_default().push(index);
        }
    }
    let fresh = |rule| Run {
        rule,
        tally: Tally::default(),
        wakes: Vec::new(),
        last_wake_s: vec![None; replay.traced.len()],
    };
    let mut runs: Vec<Run<'_>> = replay.rules.iter().map(fresh).collect();
    let world = World::new(replay);
    let days = by_day.len();
    for (done, (day, indices)) in by_day.into_iter().enumerate() {
        let enrolled = world.fit(day, &indices);
        for run in &mut runs {
            for hour in 0..24 {
                let before_s = replay.lead_time_s.rem_euclid(HOUR_S);
                let now_s = i64::from(day) * DAY_S + hour * HOUR_S + (HOUR_S - before_s) % HOUR_S;
                world.plan_hour(run, &enrolled, now_s);
            }
        }
        progress(done + 1, days);
    }
    runs.into_iter().map(|run| (run.tally, run.wakes)).collect()
}

/// What does not change during the replay.
struct World<'a> {
    replay: &'a Replay<'a>,
    by_id: BTreeMap<&'a InstanceId, usize>,
    policy: Policy,
    zone: TimeZone,
    host: Option<HostId>,
    no_wakes_due: BTreeMap<i64, u32>,
    /// Nobody: a replay wakes no one, so there is nothing to compare with.
    hold_out: HoldOut,
}

impl<'a> World<'a> {
    fn new(replay: &'a Replay<'a>) -> Self {
        Self {
            replay,
            by_id: replay.traced.iter().enumerate().map(|(i, traced)| (&traced.instance, i)).collect(),
            // Without caps: what the forecast is worth, not what the fleet can bear.
            policy: Policy { mode: Mode::Act, fleet_wakes_per_hour_max: u32::MAX, ..Policy::default() },
            // The trace's clock is taken as it is.
            zone: TimeZone::UTC,
            host: HostId::new("replay").ok(),
            no_wakes_due: BTreeMap::new(),
            hold_out: HoldOut::default(),
        }
    }

    /// The profiles as training would have made them at the start of `day`.
    fn fit(&self, day: i32, indices: &[usize]) -> Vec<(usize, HourProfile)> {
        let Some(rule) = self.replay.rules.first() else { return Vec::new() };
        let fit = |index: &usize| {
            let activity = &self.replay.traced[*index].activity;
            (*index, HourProfile::fit(activity, &self.zone, date_of(day), rule))
        };
        indices.iter().map(fit).collect()
    }

    fn plan_hour(&self, run: &mut Run<'_>, enrolled: &[(usize, HourProfile)], now_s: i64) {
        let last_wake_s = &run.last_wake_s;
        let candidates = enrolled.iter().map(|(index, profile)| {
            let traced = &self.replay.traced[*index];
            Candidate {
                instance: &traced.instance,
                cohort: "",
                host: self.host.as_ref(),
                zone: &self.zone,
                outlook: Outlook::Hours(profile),
                presence: presence(traced, last_wake_s[*index], now_s),
                lead_time: SignedDuration::from_secs(self.replay.lead_time_s),
                opted_out: false,
            }
        });
        let made = plan(PlanInput {
            now: instant(now_s),
            horizon: SignedDuration::from_secs(self.replay.lead_time_s + HOUR_S),
            rule: run.rule,
            threshold: f32::INFINITY,
            policy: &self.policy,
            model_version: 0,
            hold: SignedDuration::from_secs(HOLD_S),
            already_due_per_hour: &self.no_wakes_due,
            starts_at_once: &BTreeMap::new(),
            hold_out: &self.hold_out,
            candidates,
        });
        for wake in made.wakes {
            if let Some(index) = self.by_id.get(&wake.instance) {
                let traced = &self.replay.traced[*index];
                run.carry_out(*index, traced, wake.due_at.as_second());
            }
        }
    }
}

impl Run<'_> {
    /// Does what the agent does when the wake is due: looks first, then wakes.
    fn carry_out(&mut self, index: usize, traced: &Traced, due_s: i64) {
        let came_meanwhile = traced.awake_until(due_s).is_some();
        if came_meanwhile || !traced.is_enrolled(day_of_second(due_s)) {
            return;
        }
        self.tally.count(traced, due_s);
        self.last_wake_s[index] = Some(due_s);
        self.wakes.push(ReplayedWake { instance: traced.instance.clone(), at_s: due_s });
    }
}

/// What can be known at `now_s`: a hold ends with the arrival that uses it.
fn presence(traced: &Traced, last_wake_s: Option<i64>, now_s: i64) -> Presence {
    if let Some(until_s) = traced.awake_until(now_s) {
        return Presence::Awake { until: instant(until_s) };
    }
    let held = last_wake_s.filter(|wake_s| {
        let unused = traced.next_arrival(*wake_s).is_none_or(|arrival_s| arrival_s > now_s);
        unused && now_s < wake_s + HOLD_S
    });
    held.map_or(Presence::Asleep, |wake_s| Presence::Covered { until: instant(wake_s + HOLD_S) })
}

fn instant(at_s: i64) -> Timestamp {
    Timestamp::from_second(at_s).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule() -> Rule {
        Rule { min_share: 2.0 / 30.0, ..Rule::default() }
    }

    fn traced(sightings_s: Vec<i64>) -> Option<Traced> {
        Traced::new(InstanceId::new("dev1").expect("an id"), sightings_s, 5, None)
    }

    fn wakes_of(traced: &[Traced], lead_time_s: i64) -> (Tally, Vec<i64>) {
        let rules = [rule()];
        let mut runs = replay(&Replay { traced, rules: &rules, lead_time_s }, |_, _| {});
        let (tally, wakes) = runs.remove(0);
        (tally, wakes.into_iter().map(|wake| wake.at_s).collect())
    }

    /// Seen at 09:20 on each of the first 32 days, a Thursday the first.
    fn regular() -> Vec<i64> {
        (0..32).map(|day| day * DAY_S + 9 * HOUR_S + 1_200).collect()
    }

    #[test]
    fn a_regular_user_is_met_on_the_days_enrolled() {
        let traced = [traced(regular()).expect("has sightings")];
        let (tally, wakes) = wakes_of(&traced, 0);
        assert_eq!(wakes, [30, 31, 32].map(|day| day * DAY_S + 9 * HOUR_S));
        assert_eq!(tally, Tally { wakes: 3, hits: 2, warm: 2, idle_s: 2 * 1_200 + 10_800 });
        let (_, early) = wakes_of(&traced, 600);
        assert_eq!(early, [30, 31, 32].map(|day| day * DAY_S + 9 * HOUR_S - 600));
    }

    #[test]
    fn one_who_came_before_the_wake_was_due_is_not_woken() {
        // Awake until 08:56: at 08:50 the wake is put off until then.
        let day_s = 30 * DAY_S;
        let mut sightings_s = regular();
        sightings_s.push(day_s + 24_960);
        let that_day = |sightings_s: &[i64]| {
            let (_, wakes) = wakes_of(&[traced(sightings_s.to_vec()).expect("has sightings")], 600);
            wakes.into_iter().filter(|at_s| day_of_second(*at_s) == 30).collect::<Vec<_>>()
        };
        assert_eq!(that_day(&sightings_s), [day_s + 24_960 + 7_200]);
        // Somebody comes at 08:53.
        sightings_s.push(day_s + 31_980);
        assert_eq!(that_day(&sightings_s), Vec::<i64>::new());
    }

    #[test]
    fn every_day_is_told_when_it_is_over() {
        let traced = [traced(regular()).expect("has sightings")];
        let mut told = Vec::new();
        replay(&Replay { traced: &traced, rules: &[rule()], lead_time_s: 0 }, |done, days| {
            told.push((done, days));
        });
        assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
    }

    #[test]
    fn a_hold_ends_with_its_time_or_with_who_comes() {
        let seen = [100_000, 150_000];
        let traced = traced(seen.to_vec()).expect("has sightings");
        let at = |wake_s, now_s| presence(&traced, Some(wake_s), now_s);
        let covered = Presence::Covered { until: instant(130_800) };
        assert_eq!([at(120_000, 120_000), at(120_000, 130_799)], [covered, covered]);
        assert_eq!(at(120_000, 130_800), Presence::Asleep);
        let awake = Presence::Awake { until: instant(157_200) };
        assert_eq!([at(149_000, 150_000), at(149_000, 157_199)], [awake, awake]);
        assert_eq!(at(149_000, 157_200), Presence::Asleep, "used");
        assert_eq!(at(149_000, 149_999), Presence::Covered { until: instant(159_800) });
        assert_eq!(presence(&traced, None, 120_000), Presence::Asleep);
    }

    proptest! {
        /// Whatever happens from `cut` on, the wakes before it are the same.
        #[test]
        fn no_wake_depends_on_what_follows_it(
            seen in proptest::collection::vec((0..45i64, 0..24i64, 0..60i64), 40..160),
            cut_s in 30 * DAY_S..45 * DAY_S,
            lead_time_s in prop_oneof![Just(0), Just(300), Just(3_600)],
        ) {
            let all: Vec<i64> = seen.iter().map(|(d, h, m)| d * DAY_S + h * HOUR_S + m * 60).collect();
            let past: Vec<i64> = all.iter().copied().filter(|at_s| *at_s < cut_s).collect();
            // The replay of the past ends with the day after its last sighting.
            let last_day = past.iter().max().map_or(0, |at_s| at_s.div_euclid(DAY_S) + 1);
            let end_s = cut_s.min((last_day + 1) * DAY_S);
            let before = |traced: Option<Traced>| {
                let (_, wakes) = wakes_of(&traced.into_iter().collect::<Vec<_>>(), lead_time_s);
                wakes.into_iter().filter(|at_s| *at_s < end_s).collect::<Vec<_>>()
            };
            prop_assert_eq!(before(traced(past)), before(traced(all)));
        }
    }
}
