//! Days on which people behave as on their weekend, and times without forecast wakes, by cohort.
//!
//! Filled from calendar files by `calendars`, asked by whoever fits, forecasts and plans. It knows no file format.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::calendar::local_hour;

/// What a local day is for the people of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayKind {
    /// As its day of the week is.
    #[default]
    Ordinary,
    /// People behave as on their weekend.
    Holiday,
    /// No forecast wakes, whatever people do.
    Quiet,
}

/// Holidays and quiet times of everybody and of single cohorts. Days are counted from 1970-01-01.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DayCalendar {
    everybody: Marks,
    by_cohort: BTreeMap<String, Marks>,
}

/// Whom a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    Everybody,
    Cohort(&'a str),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Marks {
    holidays: BTreeSet<i32>,
    quiet_days: BTreeSet<i32>,
    /// Disjoint spans, from each start to its end.
    quiet: BTreeMap<Timestamp, Timestamp>,
    /// The same by the clock of each instance's zone.
    quiet_local: BTreeMap<DateTime, DateTime>,
}

/// The calendar as one cohort sees it: what is marked for everybody, and for it.
#[derive(Debug, Clone, Copy)]
pub struct CohortDays<'a>([Option<&'a Marks>; 2]);

impl DayCalendar {
    /// Whether nothing at all is marked.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// The calendar of one cohort: look it up once, ask it for many days.
    pub fn of(&self, cohort: &str) -> CohortDays<'_> {
        CohortDays([Some(&self.everybody), self.by_cohort.get(cohort)])
    }

    /// What the local day is for `cohort`. A quiet holiday is `Quiet`.
    pub fn kind(&self, cohort: &str, day: i32) -> DayKind {
        self.of(cohort).kind(day)
    }

    /// Whether forecast wakes of `cohort` are to be left out at `at`: by a quiet day or a quiet span.
    pub fn is_quiet(&self, cohort: &str, zone: &TimeZone, at: Timestamp) -> bool {
        self.of(cohort).is_quiet(zone, at)
    }

    pub fn mark_holiday(&mut self, whose: Whose<'_>, day: i32) {
        self.marks(whose).holidays.insert(day);
    }

    pub fn mark_quiet_day(&mut self, whose: Whose<'_>, day: i32) {
        self.marks(whose).quiet_days.insert(day);
    }

    /// Marks `[from, until)`.
    pub fn mark_quiet(&mut self, whose: Whose<'_>, from: Timestamp, until: Timestamp) {
        join(&mut self.marks(whose).quiet, from, until);
    }

    /// Marks `[from, until)` by the clock of each instance's own zone.
    pub fn mark_quiet_local(&mut self, whose: Whose<'_>, from: DateTime, until: DateTime) {
        join(&mut self.marks(whose).quiet_local, from, until);
    }

    fn marks(&mut self, whose: Whose<'_>) -> &mut Marks {
        match whose {
            Whose::Everybody => &mut self.everybody,
            Whose::Cohort(name) => self.by_cohort.entry(name.to_owned()).or_default(),
        }
    }
}

impl CohortDays<'_> {
    pub fn kind(&self, day: i32) -> DayKind {
        if self.any(|marks| marks.quiet_days.contains(&day)) {
            DayKind::Quiet
        } else if self.is_holiday(day) {
            DayKind::Holiday
        } else {
            DayKind::Ordinary
        }
    }

    /// Whether people behave as on their weekend, quiet or not: what fitting and forecasting ask.
    pub fn is_holiday(&self, day: i32) -> bool {
        self.any(|marks| marks.holidays.contains(&day))
    }

    /// Whether forecast wakes are to be left out at `at`, a moment in `zone`.
    pub fn is_quiet(&self, zone: &TimeZone, at: Timestamp) -> bool {
        self.any(|marks| marks.holds_quiet(zone, at))
    }

    fn any(&self, test: impl Fn(&Marks) -> bool) -> bool {
        self.0.iter().flatten().any(|marks| test(marks))
    }
}

impl Marks {
    fn holds_quiet(&self, zone: &TimeZone, at: Timestamp) -> bool {
        (!self.quiet_days.is_empty() && self.quiet_days.contains(&local_hour(zone, at).day))
            || holds(&self.quiet, &at)
            || (!self.quiet_local.is_empty() && holds(&self.quiet_local, &zone.to_datetime(at)))
    }
}

/// Adds `[from, until)`, grown by the spans it touches, so that spans stay disjoint.
fn join<T: Ord + Copy>(spans: &mut BTreeMap<T, T>, mut from: T, mut until: T) {
    if until <= from {
        return;
    }
    while let Some((start, end)) = spans.range(..=until).next_back().map(|(start, end)| (*start, *end)) {
        if end < from {
            break;
        }
        from = from.min(start);
        until = until.max(end);
        spans.remove(&start);
    }
    spans.insert(from, until);
}

fn holds<T: Ord>(spans: &BTreeMap<T, T>, at: &T) -> bool {
    spans.range(..=at).next_back().is_some_and(|(_, end)| at < end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::calendar::day_of, *};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn day(text: &str) -> i32 {
        day_of(text.parse().expect("a date"))
    }

    #[test]
    fn a_cohort_has_its_own_days_and_everybodys() {
        let mut days = DayCalendar::default();
        assert!(days.is_empty());
        days.mark_holiday(Whose::Everybody, day("2026-12-25"));
        days.mark_holiday(Whose::Cohort("dev"), day("2026-10-03"));
        days.mark_quiet_day(Whose::Cohort("dev"), day("2026-12-25"));
        assert_eq!(days.kind("dev", day("2026-10-03")), DayKind::Holiday);
        assert_eq!(days.kind("ops", day("2026-10-03")), DayKind::Ordinary);
        assert_eq!(days.kind("ops", day("2026-12-25")), DayKind::Holiday);
        assert_eq!(days.kind("dev", day("2026-12-25")), DayKind::Quiet);
        assert!(days.of("dev").is_holiday(day("2026-12-25")), "quiet, and a holiday all the same");
        assert!(!days.is_empty());
    }

    #[test]
    fn a_quiet_day_is_one_of_the_zone() {
        let mut days = DayCalendar::default();
        days.mark_quiet_day(Whose::Everybody, day("2026-04-01"));
        let auckland = TimeZone::get("Pacific/Auckland").expect("a known zone");
        assert!(days.is_quiet("", &auckland, at("2026-03-31T19:30:00Z")));
        assert!(!days.is_quiet("", &TimeZone::UTC, at("2026-03-31T19:30:00Z")));
    }

    #[test]
    fn spans_are_half_open_and_local_ones_follow_the_clock() {
        let mut days = DayCalendar::default();
        days.mark_quiet(Whose::Everybody, at("2026-03-02T10:00:00Z"), at("2026-03-02T12:00:00Z"));
        let quiet = |text| days.is_quiet("dev", &TimeZone::UTC, at(text));
        assert!(!quiet("2026-03-02T09:59:59Z"));
        assert!(quiet("2026-03-02T10:00:00Z"));
        assert!(!quiet("2026-03-02T12:00:00Z"));

        // 02:00 to 03:00 comes twice in the night the clocks go back: both are quiet, and nothing else.
        let mut days = DayCalendar::default();
        let local = |text: &str| text.parse::<DateTime>().expect("a local time");
        days.mark_quiet_local(Whose::Everybody, local("2026-10-25T02:00"), local("2026-10-25T03:00"));
        let berlin = TimeZone::get("Europe/Berlin").expect("a known zone");
        let quiet: Vec<_> = (22..28)
            .map(|half| at("2026-10-24T12:00:00Z") + jiff::SignedDuration::from_mins(30 * half))
            .filter(|at| days.is_quiet("dev", &berlin, *at))
            .collect();
        assert_eq!(quiet.len(), 4, "{quiet:?}");
    }

    #[test]
    fn it_is_kept_as_json() {
        let mut days = DayCalendar::default();
        days.mark_holiday(Whose::Cohort("dev"), 20_000);
        days.mark_quiet(Whose::Everybody, at("2026-03-02T10:00:00Z"), at("2026-03-02T12:00:00Z"));
        let text = serde_json::to_string(&days).expect("serializes");
        assert_eq!(serde_json::from_str::<DayCalendar>(&text).expect("comes back"), days);
    }

    proptest! {
        #[test]
        fn joined_spans_hold_what_any_of_them_held(spans in proptest::collection::vec((0..50i32, 0..12i32), 0..12)) {
            let mut joined = BTreeMap::new();
            for (from, len) in &spans {
                join(&mut joined, *from, from + len);
            }
            for point in 0..70 {
                let held = spans.iter().any(|(from, len)| (*from..from + len).contains(&point));
                prop_assert_eq!(holds(&joined, &point), held, "{}", point);
            }
            let ends: Vec<_> = joined.iter().collect();
            prop_assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "disjoint: {:?}", ends);
        }
    }
}
