//! Runs the planner over recorded presence, day by day and hour by hour, for several rules at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{
    presence::{HOLD_S, Traced, day_of_second},
    score::Tally,
};
use crate::{
    model::{Profile, Rule, calendar::date_of},
    plan::{Candidate, PlanInput, Presence, plan},
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
        }
    }

    /// The profiles as training would have made them at the start of `day`.
    fn fit(&self, day: i32, indices: &[usize]) -> Vec<(usize, Profile)> {
        let Some(rule) = self.replay.rules.first() else { return Vec::new() };
        let fit = |index: &usize| {
            let activity = &self.replay.traced[*index].activity;
            (*index, Profile::fit(activity, &self.zone, date_of(day), rule))
        };
        indices.iter().map(fit).collect()
    }

    fn plan_hour(&self, run: &mut Run<'_>, enrolled: &[(usize, Profile)], now_s: i64) {
        let last_wake_s = &run.last_wake_s;
        let candidates = enrolled.iter().map(|(index, profile)| {
            let traced = &self.replay.traced[*index];
            Candidate {
                instance: &traced.instance,
                cohort: "",
                host: self.host.as_ref(),
                zone: &self.zone,
                profile: Some(profile),
                presence: presence(traced, last_wake_s[*index], now_s),
                lead_time: SignedDuration::from_secs(self.replay.lead_time_s),
                opted_out: false,
                held_out: false,
            }
        });
        let made = plan(PlanInput {
            now: instant(now_s),
            horizon: SignedDuration::from_secs(self.replay.lead_time_s + HOUR_S),
            rule: run.rule,
            policy: &self.policy,
            model_version: 0,
            hold: SignedDuration::from_secs(HOLD_S),
            already_due_per_hour: &self.no_wakes_due,
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
