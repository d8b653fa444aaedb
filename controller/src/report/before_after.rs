//! The time before Reveille acted beside the time since, with what else differed between the two.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

use super::baseline::{Span, spans};
use crate::visits::Visit;

/// What was seen in a stretch of time, by which two stretches can be told to be different worlds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    pub days: f64,
    /// Visits per day that began with a wake request; none of a stretch of no time.
    pub asked_per_day: Option<f64>,
    pub arrivals_per_day: Option<f64>,
    /// Instances with a visit.
    pub instances_seen: u64,
    /// Quiet dates of the policy that begin in it, in UTC.
    pub quiet_dates: u64,
    /// Versions of the model that were put in service in it.
    pub models: u64,
}

/// Before and now, as in the baseline. It tells the effect of Reveille only if nothing else changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    pub before: Stretch,
    pub now: Stretch,
}

/// Compares the baseline with the part of `[from, to)` in which Reveille acted. `models` are the times at which
/// versions were put in service.
pub(super) fn before_after(
    visits: &[Visit],
    period: (Timestamp, Timestamp),
    first_act_wake_at: Option<Timestamp>,
    quiet_dates: &BTreeSet<Date>,
    models: &[Timestamp],
) -> BeforeAfter {
    let (before, now) = spans(visits, period, first_act_wake_at);
    let stretch = |span| stretch(span, visits, quiet_dates, models);
    BeforeAfter { before: stretch(before), now: stretch(now) }
}

fn stretch(span: Span, visits: &[Visit], quiet_dates: &BTreeSet<Date>, models: &[Timestamp]) -> Stretch {
    let arrived = || visits.iter().filter(|visit| span.holds(visit.arrived_at));
    let asked =
        visits.iter().filter(|visit| visit.asked() && visit.asked_at.is_some_and(|at| span.holds(at)));
    let instances: BTreeSet<&InstanceId> = arrived().map(|visit| &visit.instance).collect();
    let begins = |date: &&Date| date.to_zoned(TimeZone::UTC).is_ok_and(|start| span.holds(start.timestamp()));
    let per_day = |count: usize| (span.days() > 0.0).then(|| count as f64 / span.days());
    Stretch {
        days: span.days(),
        asked_per_day: per_day(asked.count()),
        arrivals_per_day: per_day(arrived().count()),
        instances_seen: instances.len() as u64,
        quiet_dates: quiet_dates.iter().filter(begins).count() as u64,
        models: models.iter().filter(|at| span.holds(**at)).count() as u64,
    }
}

impl BeforeAfter {
    /// Why the change from before to now is not the effect of Reveille, in words.
    pub(super) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let (before, now) = (&self.before, &self.now);
        if before.instances_seen != now.instances_seen {
            doubts.push(format!(
                "{} instances were seen in the {:.1} days before and {} in the {:.1} days now: more users ask more often, \
                 fewer less, whoever wakes.",
                before.instances_seen, before.days, now.instances_seen, now.days
            ));
        }
        if before.quiet_dates + now.quiet_dates > 0 {
            doubts.push(format!(
                "{} quiet dates fell in the time before and {} in the time now: who is on holiday does not ask.",
                before.quiet_dates, now.quiet_dates
            ));
        }
        doubts.push(
            "Releases, deadlines, the season and holidays nobody entered change how often people come; no log tells \
             them from Reveille."
                .to_owned(),
        );
        doubts
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).expect("in range")
    }

    fn visit(name: &str, at: Timestamp, asked: bool) -> Visit {
        let instance = InstanceId::new(name).expect("an id");
        Visit { instance, arrived_at: at, departed_at: at, asked_at: asked.then_some(at) }
    }

    /// Two users ask daily for ten days; then Reveille acts, one asks every second day, and a third has joined.
    fn compared(quiet_dates: &BTreeSet<Date>) -> BeforeAfter {
        let noon = |n| day(n) + SignedDuration::from_hours(12);
        let before = (90..100).flat_map(|n| [visit("a", day(n), true), visit("b", noon(n), true)]);
        let now = (100..110)
            .flat_map(|n| ["a", "b", "c"].map(|name| visit(name, noon(n), name == "a" && n % 2 == 0)));
        let visits: Vec<Visit> = before.chain(now).collect();
        before_after(
            &visits,
            (day(100), day(110)),
            Some(day(100)),
            quiet_dates,
            &[day(95), day(101), day(109)],
        )
    }

    #[test]
    fn each_stretch_is_counted_with_what_makes_it_another_world() {
        let none = BTreeSet::new();
        let both = compared(&none);
        let before = Stretch {
            days: 10.0,
            asked_per_day: Some(2.0),
            arrivals_per_day: Some(2.0),
            instances_seen: 2,
            quiet_dates: 0,
            models: 1,
        };
        assert_eq!(both.before, before);
        let now = Stretch {
            asked_per_day: Some(0.5),
            arrivals_per_day: Some(3.0),
            instances_seen: 3,
            models: 2,
            ..before
        };
        assert_eq!(both.now, now);
    }

    #[test]
    fn who_asks_long_after_coming_did_not_have_to() {
        let late = Visit { asked_at: Some(day(101)), ..visit("a", day(100), true) };
        let before = Visit { asked_at: Some(day(99)), ..visit("b", day(100), true) };
        let both = before_after(&[late, before], (day(100), day(102)), Some(day(100)), &BTreeSet::new(), &[]);
        assert_eq!((both.now.asked_per_day, both.now.arrivals_per_day), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn what_differs_is_told_in_figures() {
        let quiet =
            ["1970-04-11", "1970-04-12", "1970-01-01"].map(|date| date.parse::<Date>().unwrap()).into();
        let doubts = compared(&quiet).doubts().join("\n");
        for expected in [
            "2 instances were seen in the 10.0 days before and 3 in",
            "0 quiet dates",
            "and 2 in the time now",
            "Releases",
        ] {
            assert!(doubts.contains(expected), "{expected}: {doubts}");
        }
        let mut alike = compared(&BTreeSet::new());
        alike.now = alike.before.clone();
        assert_eq!(alike.doubts().len(), 1);
    }

    #[test]
    fn a_stretch_of_no_time_has_no_rates() {
        let both = before_after(&[], (day(100), day(110)), None, &BTreeSet::new(), &[]);
        assert_eq!((both.now.days, both.now.asked_per_day), (0.0, None));
    }
}
