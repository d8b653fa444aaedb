//! In which quarter hours an instance was used: the compact memory that profiles are learned from.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Seconds in one quarter hour, the grain of [`Activity`].
pub const QUARTER_S: i64 = 15 * 60;

/// Quarter hours in a UTC day.
pub const QUARTERS_PER_DAY: u32 = 96;

const DAY_S: i64 = 86_400;

/// A set of quarter hours: for each UTC day since 1970-01-01, bit q of 0..96 says that quarter hour q had a sighting.
///
/// Being a set, it does not care how often or in what order it is told something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity(BTreeMap<i32, u128>);

impl Activity {
    /// Marks the quarter hour of `at`; false when it was marked already.
    pub fn insert(&mut self, at: Timestamp) -> bool {
        let (day, quarter) = place(at);
        let mask = self.0.entry(day).or_default();
        let before = *mask;
        *mask |= 1 << quarter;
        *mask != before
    }

    /// Adds the quarter hours in `mask` of one day; bits from [`QUARTERS_PER_DAY`] up are ignored.
    pub fn merge(&mut self, day: i32, mask: u128) {
        let mask = mask & ((1 << QUARTERS_PER_DAY) - 1);
        if mask != 0 {
            *self.0.entry(day).or_default() |= mask;
        }
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        let (day, quarter) = place(at);
        self.0.get(&day).is_some_and(|mask| mask >> quarter & 1 == 1)
    }

    /// `(day, mask)` in order of days; only days with activity.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (i32, u128)> + '_ {
        self.0.iter().map(|(day, mask)| (*day, *mask))
    }

    /// The active quarter hours of one UTC day.
    pub fn mask(&self, day: i32) -> u128 {
        self.0.get(&day).copied().unwrap_or(0)
    }

    /// First UTC day with activity.
    pub fn first_day(&self) -> Option<i32> {
        self.0.first_key_value().map(|(day, _)| *day)
    }

    /// Last UTC day with activity.
    pub fn last_day(&self) -> Option<i32> {
        self.0.last_key_value().map(|(day, _)| *day)
    }

    /// Whether any quarter hour that overlaps `[from, until)` was active.
    pub fn any_between(&self, from: Timestamp, until: Timestamp) -> bool {
        if until <= from {
            return false;
        }
        let (first_day, first_quarter) = place(from);
        let last_inside = until.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
        let (last_day, last_quarter) = place(last_inside);
        self.0.range(first_day..=last_day).any(|(day, mask)| {
            let low = if *day == first_day { first_quarter } else { 0 };
            let high = if *day == last_day { last_quarter } else { QUARTERS_PER_DAY - 1 };
            let wanted = (1u128 << (high + 1)) - (1u128 << low);
            mask & wanted != 0
        })
    }

    /// Start of the first active quarter hour.
    pub fn first(&self) -> Option<Timestamp> {
        let (day, mask) = self.0.first_key_value()?;
        start(*day, mask.trailing_zeros())
    }

    /// Start of the last active quarter hour.
    pub fn last(&self) -> Option<Timestamp> {
        let (day, mask) = self.0.last_key_value()?;
        start(*day, u128::BITS - 1 - mask.leading_zeros())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many quarter hours were active.
    pub fn quarters(&self) -> u64 {
        self.0.values().map(|mask| u64::from(mask.count_ones())).sum()
    }
}

impl FromIterator<(i32, u128)> for Activity {
    fn from_iter<I: IntoIterator<Item = (i32, u128)>>(days: I) -> Self {
        let mut activity = Self::default();
        for (day, mask) in days {
            activity.merge(day, mask);
        }
        activity
    }
}

impl FromIterator<Timestamp> for Activity {
    fn from_iter<I: IntoIterator<Item = Timestamp>>(times: I) -> Self {
        let mut activity = Self::default();
        for at in times {
            activity.insert(at);
        }
        activity
    }
}

fn place(at: Timestamp) -> (i32, u32) {
    // Before 1970 the fraction is negative: the second that holds it is the one below.
    place_s(at.as_second() - i64::from(at.subsec_nanosecond() < 0))
}

/// Day and quarter hour of a second since 1970; all of jiff's range fits an `i32` of days.
fn place_s(second: i64) -> (i32, u32) {
    (second.div_euclid(DAY_S) as i32, (second.rem_euclid(DAY_S) / QUARTER_S) as u32)
}

fn start(day: i32, quarter: u32) -> Option<Timestamp> {
    Timestamp::from_second(i64::from(day) * DAY_S + i64::from(quarter) * QUARTER_S).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_quarter_hour_is_marked_once() {
        let mut activity = Activity::default();
        assert!(activity.insert(at("2026-03-02T08:14:59Z")));
        assert!(!activity.insert(at("2026-03-02T08:00:00Z")));
        assert!(activity.insert(at("2026-03-02T08:15:00Z")));
        assert!(activity.contains(at("2026-03-02T08:29:59.999Z")));
        assert!(!activity.contains(at("2026-03-02T08:30:00Z")));
        assert_eq!(activity.quarters(), 2);
        assert_eq!(activity.first(), Some(at("2026-03-02T08:00:00Z")));
        assert_eq!(activity.last(), Some(at("2026-03-02T08:15:00Z")));
    }

    #[test]
    fn each_day_has_its_quarter_hours_and_the_first_and_last_are_known() {
        let empty = Activity::default();
        assert_eq!((empty.first_day(), empty.last_day(), empty.mask(0)), (None, None, 0));
        assert!(empty.is_empty() && empty.first().is_none() && empty.last().is_none());
        let activity: Activity =
            [at("1970-01-03T00:00:00Z"), at("1970-01-03T01:10:00Z"), at("1970-01-08T00:45:00Z")]
                .into_iter()
                .collect();
        assert_eq!((activity.first_day(), activity.last_day()), (Some(2), Some(7)));
        assert_eq!([2, 3, 7].map(|day| activity.mask(day)), [0b1_0001, 0, 0b1000]);
        assert!(!activity.is_empty());
    }

    #[test]
    fn days_before_1970_and_the_last_quarter_have_their_place() {
        let mut activity = Activity::default();
        activity.insert(at("1969-12-31T23:59:59.5Z"));
        assert_eq!(activity.days().collect::<Vec<_>>(), [(-1, 1 << 95)]);
        assert!(activity.any_between(at("1969-12-31T23:50:00Z"), at("1970-01-01T00:00:00Z")));
        assert!(!activity.any_between(at("1970-01-01T00:00:00Z"), at("1970-01-02T00:00:00Z")));
    }

    #[test]
    fn a_span_is_half_open() {
        let activity: Activity = [at("2026-03-02T08:00:00Z")].into_iter().collect();
        assert!(!activity.any_between(at("2026-03-02T07:00:00Z"), at("2026-03-02T08:00:00Z")));
        assert!(activity.any_between(at("2026-03-02T07:00:00Z"), at("2026-03-02T08:00:00.000000001Z")));
        assert!(activity.any_between(at("2026-03-02T08:14:59Z"), at("2026-03-02T09:00:00Z")));
        assert!(!activity.any_between(at("2026-03-02T08:15:00Z"), at("2026-03-02T09:00:00Z")));
        assert!(!activity.any_between(at("2026-03-02T08:05:00Z"), at("2026-03-02T08:05:00Z")));
        assert!(activity.any_between(at("2026-03-01T00:00:00Z"), at("2026-03-04T00:00:00Z")));
    }

    #[test]
    fn stray_bits_above_the_day_are_dropped() {
        let mut activity = Activity::default();
        activity.merge(5, 1 << 96);
        assert!(activity.is_empty());
        activity.merge(5, (1 << 96) | 1);
        assert_eq!(activity.days().collect::<Vec<_>>(), [(5, 1)]);
    }

    proptest! {
        #[test]
        fn any_between_agrees_with_looking_at_every_quarter(
            marks in proptest::collection::vec(0i64..400_000, 0..12), from in 0i64..400_000, span in 0i64..200_000,
        ) {
            let second = |s| Timestamp::from_second(s).expect("in range");
            let activity: Activity = marks.iter().map(|s| second(*s)).collect();
            let until = from + span;
            let expected = span > 0 && marks.iter().any(|mark| {
                let start = mark - mark % QUARTER_S;
                start < until && start + QUARTER_S > from
            });
            prop_assert_eq!(activity.any_between(second(from), second(until)), expected);
            prop_assert!(marks.iter().all(|s| activity.contains(second(*s))));
        }

        #[test]
        fn merging_days_rebuilds_the_set(marks in proptest::collection::vec(-400_000i64..400_000, 0..12)) {
            let activity: Activity =
                marks.iter().map(|s| Timestamp::from_second(*s).expect("in range")).collect();
            prop_assert_eq!(activity.days().collect::<Activity>(), activity);
        }
    }
}
