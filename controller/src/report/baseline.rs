//! How often people asked to be woken before Reveille acted, beside how often they ask now.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

use crate::visits::Visit;

/// Days before the first wake by forecast that make the baseline.
pub const BASELINE_DAYS: i64 = 30;

const DAY_S: f64 = 86_400.0;

/// The wake requests of one cohort, before and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortBaseline {
    pub cohort: String,
    /// Visits per day that began with a wake request, before the first wake by forecast; `None` when the log does not reach back a day.
    pub before_per_day: Option<f64>,
    /// Days the baseline was counted over, at most 30.
    pub before_days: f64,
    /// The same per day of the part of the period in which Reveille acted; `None` when there is none.
    pub now_per_day: Option<f64>,
    /// Negative when people ask less often than before.
    pub change_percent: Option<f64>,
}

/// A span of time, the end left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    pub(super) fn days(self) -> f64 {
        (self.to.duration_since(self.from).as_secs_f64() / DAY_S).max(0.0)
    }

    pub(super) fn holds(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// The time before Reveille acted, as far as the log and [`BASELINE_DAYS`] reach back, and the part of
/// `[from, to)` in which it acted.
pub(super) fn spans(
    visits: &[Visit],
    (from, to): (Timestamp, Timestamp),
    first_act_wake_at: Option<Timestamp>,
) -> (Span, Span) {
    // Until Reveille acts, everything is before.
    let acted_at = first_act_wake_at.unwrap_or(to);
    let earliest = visits.iter().map(|visit| visit.arrived_at).min().unwrap_or(acted_at);
    let month_before = acted_at.saturating_sub(SignedDuration::from_hours(24 * BASELINE_DAYS));
    let before = Span { from: earliest.max(month_before.unwrap_or(Timestamp::MIN)), to: acted_at };
    (before, Span { from: from.max(acted_at), to })
}

/// One entry per cohort, by name. An instance of no cohort counts under the empty name.
pub(super) fn baselines(
    visits: &[Visit],
    cohorts: &BTreeMap<InstanceId, String>,
    period: (Timestamp, Timestamp),
    first_act_wake_at: Option<Timestamp>,
) -> Vec<CohortBaseline> {
    let (before, now) = spans(visits, period, first_act_wake_at);
    let mut asked: BTreeMap<&str, (u32, u32)> =
        cohorts.values().map(|name| (name.as_str(), (0, 0))).collect();
    for visit in visits {
        let cohort = cohorts.get(&visit.instance).map_or("", String::as_str);
        let (asked_before, asked_now) = asked.entry(cohort).or_default();
        if let Some(asked_at) = visit.asked_at.filter(|_| visit.asked()) {
            *asked_before += u32::from(before.holds(asked_at));
            *asked_now += u32::from(now.holds(asked_at));
        }
    }
    let entry = |(cohort, (asked_before, asked_now)): (&str, (u32, u32))| {
        let before_per_day = (before.days() >= 1.0).then(|| f64::from(asked_before) / before.days());
        let now_per_day = (now.days() > 0.0).then(|| f64::from(asked_now) / now.days());
        let change = |(before, now): (f64, f64)| (before > 0.0).then(|| (now / before - 1.0) * 100.0);
        CohortBaseline {
            cohort: cohort.to_owned(),
            before_per_day,
            before_days: before.days(),
            now_per_day,
            change_percent: before_per_day.zip(now_per_day).and_then(change),
        }
    };
    asked.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).expect("in range")
    }

    fn instance(text: &str) -> InstanceId {
        InstanceId::new(text).expect("an id")
    }

    fn asked(text: &str, at: Timestamp) -> Visit {
        Visit { instance: instance(text), arrived_at: at, departed_at: at, asked_at: Some(at) }
    }

    fn cohorts() -> BTreeMap<InstanceId, String> {
        [(instance("a"), "blue".to_owned()), (instance("b"), "red".to_owned())].into()
    }

    /// "a" asks twice a day until Reveille acts on day 100, then once every two days; "b" never asks.
    fn visits(first_day: i64) -> Vec<Visit> {
        let before = (first_day..100).flat_map(|d| [day(d), day(d) + SignedDuration::from_hours(12)]);
        let after = (50..55).map(|d| day(2 * d));
        before.chain(after).map(|at| asked("a", at)).collect()
    }

    #[test]
    fn requests_per_day_before_and_now() {
        let entries = baselines(&visits(0), &cohorts(), (day(90), day(110)), Some(day(100)));
        let [blue, red] = &entries[..] else { panic!("two cohorts: {entries:?}") };
        assert_eq!((blue.cohort.as_str(), red.cohort.as_str()), ("blue", "red"));
        assert_eq!((blue.before_per_day, blue.before_days), (Some(2.0), 30.0));
        assert_eq!((blue.now_per_day, blue.change_percent), (Some(0.5), Some(-75.0)));
        assert_eq!((red.before_per_day, red.now_per_day, red.change_percent), (Some(0.0), Some(0.0), None));
    }

    #[test]
    fn a_short_log_makes_a_short_baseline_or_none() {
        let of = |first_day| baselines(&visits(first_day), &cohorts(), (day(100), day(110)), Some(day(100)));
        assert_eq!((of(95)[0].before_days, of(95)[0].before_per_day), (5.0, Some(2.0)));
        assert_eq!((of(100)[0].before_per_day, of(100)[0].change_percent), (None, None));
    }

    #[test]
    fn a_span_leaves_its_end_out_and_is_never_negative() {
        let span = Span { from: day(10), to: day(12) };
        let second = SignedDuration::from_secs(1);
        let held = [day(10) - second, day(10), day(12) - second, day(12)].map(|at| span.holds(at));
        assert_eq!((held, span.days().to_bits()), ([false, true, true, false], 2.0_f64.to_bits()));
        let none = Span { from: day(12), to: day(10) };
        assert_eq!((none.days().to_bits(), none.holds(day(11))), (0.0_f64.to_bits(), false));
    }

    #[test]
    fn the_baseline_is_the_month_before_the_first_wake_and_now_what_follows_it() {
        let one = [asked("a", day(3))];
        let ends = |visits: &[Visit], period, first| {
            let (before, now) = spans(visits, period, first);
            [before.from, before.to, now.from, now.to].map(|at| at.as_second() / 86_400)
        };
        assert_eq!(ends(&one, (day(90), day(110)), Some(day(100))), [70, 100, 100, 110]);
        assert_eq!(ends(&one, (day(20), day(40)), Some(day(10))), [3, 10, 20, 40]);
        assert_eq!(ends(&[], (day(20), day(40)), Some(day(30))), [30, 30, 30, 40]);
        assert_eq!(ends(&one, (day(20), day(40)), None), [10, 40, 40, 40]);
    }

    #[test]
    fn a_day_of_log_is_enough_for_a_baseline_and_less_is_not() {
        let of = |first_s: i64| {
            let first = day(99) + SignedDuration::from_secs(first_s);
            let visits = [asked("a", first), asked("a", first), asked("a", day(104))];
            baselines(&visits, &cohorts(), (day(100), day(110)), Some(day(100)))[0].clone()
        };
        assert_eq!(
            (of(0).before_per_day, of(0).now_per_day, of(0).change_percent),
            (Some(2.0), Some(0.1), Some(-95.0))
        );
        assert_eq!((of(1).before_per_day, of(1).change_percent), (None, None));
    }

    #[test]
    fn before_reveille_acts_everything_is_baseline() {
        let entries = baselines(&visits(0), &BTreeMap::new(), (day(80), day(90)), None);
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].cohort.as_str(), entries[0].before_per_day), ("", Some(2.0)));
        assert_eq!(entries[0].now_per_day, None);
    }
}
