//! One instance of the replay: who comes when, where it lives, how long it takes to serve.

use jiff::{SignedDuration, tz::TimeZone};
use reveille_proto::{InstanceId, WakeId};

use crate::{
    model::relive::sightings_of,
    outcome::{Verdict, WakeFacts, judge},
    visits::Visit,
    wake::{End, Reason},
};

/// An instance with everything that is on record of it.
#[derive(Debug, Clone)]
pub struct Story {
    pub instance: InstanceId,
    pub cohort: String,
    pub zone: TimeZone,
    /// Its place among the hosts; `None` when no agent lists it.
    pub host: Option<usize>,
    /// From the start until it serves, in seconds.
    pub lead_time_s: i64,
    /// By arrival.
    visits: Vec<Visit>,
    sightings_s: Vec<i64>,
}

/// What comes of a wake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fate {
    /// When its user arrives, and whether the instance serves by then.
    pub(super) user: Option<(i64, bool)>,
    /// Seconds it serves without a user.
    pub(super) idle_s: f64,
}

impl Story {
    /// `visits` are those of the instance, by arrival.
    pub fn new(instance: InstanceId, visits: Vec<Visit>, idle_gap_s: i64) -> Self {
        let seen = |visit: &Visit| {
            sightings_of(visit.arrived_at.as_second(), visit.departed_at.as_second(), idle_gap_s)
        };
        Self {
            instance,
            cohort: String::new(),
            zone: TimeZone::UTC,
            host: None,
            lead_time_s: 0,
            sightings_s: visits.iter().flat_map(seen).collect(),
            visits,
        }
    }

    /// When each visit began, in seconds since 1970.
    pub fn arrivals_s(&self) -> impl Iterator<Item = i64> {
        self.visits.iter().map(|visit| visit.arrived_at.as_second())
    }

    /// When the instance was first seen, in seconds since 1970.
    pub fn first_seen_s(&self) -> Option<i64> {
        self.sightings_s.first().copied()
    }

    pub(super) fn sighting_s(&self, index: usize) -> Option<i64> {
        self.sightings_s.get(index).copied()
    }

    /// The verdict that production would come to about a wake of this instance. It looks ahead: no decision may be made
    /// from it before its user has come or its window has closed.
    pub(super) fn fate(&self, wake: WakeId, due_s: i64, started_s: i64, window_s: i64) -> Fate {
        let (started_at, served_at) = (instant(started_s), instant(started_s + self.lead_time_s));
        let facts = WakeFacts {
            wake,
            instance: self.instance.clone(),
            reason: Reason::Forecast,
            due_at: instant(due_s),
            called_at: Some(started_at),
            serving_at: Some(served_at),
            ended_at: served_at,
            end: End::Woken,
        };
        let window = SignedDuration::from_secs(window_s);
        let Some(outcome) = judge(&facts, &self.visits, window, jiff::Timestamp::MAX) else {
            return Fate { user: None, idle_s: 0.0 };
        };
        let used = matches!(outcome.verdict, Verdict::Used { .. });
        let user = outcome.verdict.arrived_at().map(|at| (at.as_second(), used));
        Fate { user, idle_s: outcome.idle_s }
    }
}

pub(super) fn instant(at_s: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at_s).unwrap_or(jiff::Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_judged_by_who_comes_next() {
        let instance = InstanceId::new("dev1").expect("an id");
        let visit = |arrived_s, departed_s| Visit {
            instance: instance.clone(),
            arrived_at: instant(arrived_s),
            departed_at: instant(departed_s),
            asked_at: Some(instant(arrived_s)),
        };
        let visits = vec![visit(10_000, 20_000), visit(90_000, 90_000)];
        let story = Story { lead_time_s: 300, ..Story::new(instance.clone(), visits, 7_200) };
        assert_eq!(story.first_seen_s(), Some(10_000));
        assert_eq!(Story::new(instance.clone(), Vec::new(), 7_200).first_seen_s(), None);
        assert_eq!(story.arrivals_s().collect::<Vec<_>>(), [10_000, 90_000]);
        assert_eq!(
            (0..5).map_while(|i| story.sighting_s(i)).collect::<Vec<_>>(),
            [10_000, 13_600, 17_200, 20_000, 90_000]
        );
        let id: WakeId = "0195554f-7a00-7000-8000-000000000001".parse().expect("an id");
        let fate = |due_s, started_s| story.fate(id, due_s, started_s, 10_800);
        assert_eq!(fate(9_000, 9_000), Fate { user: Some((10_000, true)), idle_s: 700.0 });
        assert_eq!(fate(9_000, 9_800), Fate { user: Some((10_000, false)), idle_s: 0.0 }, "started too late");
        assert_eq!(fate(30_000, 30_000), Fate { user: None, idle_s: 10_500.0 });
    }
}
