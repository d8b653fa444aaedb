//! What the days of a week are like: learned, so that a weekend is where people rest and not where we think.

use serde::{Deserialize, Serialize};

use super::turnout::Turnout;

/// Days looked back upon: eight weeks.
pub const WEEK_HISTORY_DAYS: i32 = 56;

/// Active instance-days that count as much as what was known before: the fleet's week for a cohort, equal days
/// for the fleet.
pub const PRIOR_INSTANCE_DAYS: f64 = 40.0;

/// A day of the week is one of rest when it is active less than this share of the week's middle day.
pub const REST_SHARE: f64 = 0.5;

/// How active each day of the week is, Monday first; 1 is the mean of the week, and their sum is 7.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeekFactors([f64; 7]);

impl Default for WeekFactors {
    fn default() -> Self {
        Self::equal()
    }
}

impl WeekFactors {
    /// A week of which nothing is known.
    pub const fn equal() -> Self {
        Self([1.0; 7])
    }

    /// Learns from the complete days before `as_of_day`, at most eight weeks of them and none before the first
    /// activity. Days for which `leave_out` is true, such as holidays, say nothing about their day of the week.
    ///
    /// A Gamma-Poisson estimate: the count on a day of the week is set against the count equal days would have had,
    /// and both are added to what `prior` says with the weight of [`PRIOR_INSTANCE_DAYS`]. A cohort passes the
    /// fleet's week as `prior`, the fleet [`WeekFactors::equal`].
    pub fn learn(turnout: &Turnout, as_of_day: i32, prior: &Self, leave_out: impl Fn(i32) -> bool) -> Self {
        let first = turnout.first_day().unwrap_or(as_of_day).max(as_of_day - WEEK_HISTORY_DAYS);
        let (mut active, mut days) = ([0.0; 7], [0.0; 7]);
        for day in (first..as_of_day).filter(|day| !leave_out(*day)) {
            active[day_of_week(day)] += f64::from(turnout.active(day));
            days[day_of_week(day)] += 1.0;
        }
        let all_days: f64 = days.iter().sum();
        if all_days == 0.0 {
            return *prior;
        }
        let mean = active.iter().sum::<f64>() / all_days;
        let weight = PRIOR_INSTANCE_DAYS / 7.0;
        let raw: [f64; 7] =
            std::array::from_fn(|i| (active[i] + weight * prior.0[i]) / (mean * days[i] + weight));
        let sum: f64 = raw.iter().sum();
        if sum > 0.0 { Self(raw.map(|factor| 7.0 * factor / sum)) } else { *prior }
    }

    /// How active the day of the week of `day` (since 1970-01-01) is; 1 is the mean.
    pub fn factor(&self, day: i32) -> f64 {
        self.0[day_of_week(day)]
    }

    /// Monday first.
    pub fn factors(&self) -> &[f64; 7] {
        &self.0
    }

    /// Whether people rest on the day of the week of `day`: it is less than half as active as the week's middle
    /// day. Up to three days of a week may be, or none.
    pub fn is_rest_day(&self, day: i32) -> bool {
        let mut sorted = self.0;
        sorted.sort_unstable_by(f64::total_cmp);
        self.factor(day) < REST_SHARE * sorted[3]
    }
}

/// 0 is Monday. 1970-01-01 was a Thursday.
pub fn day_of_week(day: i32) -> usize {
    (day + 3).rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::calendar::{date_of, day_of, is_weekend};

    /// A Monday.
    fn monday() -> i32 {
        day_of("2026-03-02".parse().expect("a date"))
    }

    fn turnout(weeks: i32, by_day_of_week: [u32; 7]) -> Turnout {
        let mut turnout = Turnout::default();
        for day in monday() - 7 * weeks..monday() {
            for _ in 0..by_day_of_week[day_of_week(day)] {
                turnout.count(day, 36);
            }
        }
        turnout
    }

    fn learn(turnout: &Turnout, prior: &WeekFactors) -> WeekFactors {
        WeekFactors::learn(turnout, monday(), prior, |_| false)
    }

    fn rest_days(week: &WeekFactors) -> Vec<i32> {
        (0..7).filter(|i| week.is_rest_day(monday() + i)).collect()
    }

    #[test]
    fn the_weekend_is_where_people_rest() {
        assert_eq!(date_of(monday()).weekday(), jiff::civil::Weekday::Monday);
        let equal = WeekFactors::equal();
        assert_eq!(rest_days(&learn(&turnout(8, [40, 41, 39, 40, 38, 5, 3]), &equal)), [5, 6]);
        assert_eq!(
            rest_days(&learn(&turnout(8, [40, 41, 39, 40, 4, 5, 38]), &equal)),
            [4, 5],
            "Friday, Saturday"
        );
        assert_eq!(rest_days(&learn(&turnout(8, [40, 41, 39, 40, 38, 41, 3]), &equal)), [6], "only Sunday");
        assert_eq!(rest_days(&learn(&turnout(8, [40; 7]), &equal)), [0; 0], "none");
    }

    #[test]
    fn with_no_data_all_days_are_equal() {
        assert_eq!(learn(&Turnout::default(), &WeekFactors::equal()), WeekFactors::equal());
        assert_eq!(rest_days(&WeekFactors::equal()), [0; 0]);
        let fleet = learn(&turnout(8, [40, 40, 40, 40, 40, 1, 1]), &WeekFactors::equal());
        assert_eq!(learn(&Turnout::default(), &fleet), fleet, "a cohort nobody saw has the fleet's week");
    }

    #[test]
    fn a_small_cohort_leans_on_the_fleet_and_a_large_one_does_not() {
        let fleet = learn(&turnout(8, [400, 400, 400, 400, 400, 10, 10]), &WeekFactors::equal());
        let one = learn(&turnout(1, [1, 0, 1, 1, 0, 1, 0]), &fleet);
        assert_eq!(rest_days(&one), [5, 6], "{one:?}");
        let gulf = learn(&turnout(8, [30, 30, 30, 30, 2, 2, 30]), &fleet);
        assert_eq!(rest_days(&gulf), [4, 5], "{gulf:?}");
    }

    #[test]
    fn days_left_out_and_days_to_come_say_nothing() {
        let mut turnout = turnout(4, [40, 40, 40, 40, 40, 2, 2]);
        let usual = learn(&turnout, &WeekFactors::equal());
        for _ in 0..500 {
            turnout.count(monday() - 2, 36);
            turnout.count(monday(), 36);
        }
        let without = |day| day == monday() - 2;
        let learned = WeekFactors::learn(&turnout, monday(), &WeekFactors::equal(), without);
        assert_eq!(rest_days(&learned), [5, 6], "{learned:?}");
        assert!(learned.factor(monday()) < 1.1 * usual.factor(monday()));
        assert!(is_weekend(monday() - 2));
    }

    proptest! {
        #[test]
        fn factors_are_positive_and_sum_to_seven(counts in proptest::array::uniform7(0..60u32), weeks in 0..10i32) {
            let week = learn(&turnout(weeks, counts), &WeekFactors::equal());
            prop_assert!(week.factors().iter().all(|factor| *factor > 0.0));
            prop_assert!((week.factors().iter().sum::<f64>() - 7.0).abs() < 1e-9);
            prop_assert!(rest_days(&week).len() <= 3);
        }
    }

    #[test]
    fn a_factor_is_what_came_over_what_equal_days_would_have_had() {
        // Two weeks of 14 instance-days, of which six are Mondays': one a day on average, two Mondays of three.
        let week = learn(&turnout(2, [3, 1, 1, 1, 1, 0, 0]), &WeekFactors::equal());
        // 40 / 7 days of before are mixed in, and the sum of all is 7.
        let weight = 40.0 / 7.0;
        let raw = [6.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0].map(|active| (active + weight) / (2.0 + weight));
        let sum: f64 = raw.iter().sum();
        for (factor, raw) in week.factors().iter().zip(raw) {
            assert!((factor - 7.0 * raw / sum).abs() < 1e-9, "{week:?}");
        }
        // What was known before counts by its own factors.
        let prior = WeekFactors([1.9, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1]);
        let leaning = learn(&turnout(2, [1; 7]), &prior);
        let raw = prior.0.map(|factor| (2.0 + weight * factor) / (2.0 + weight));
        for (factor, raw) in leaning.factors().iter().zip(raw) {
            assert!((factor - raw).abs() < 1e-9, "{leaning:?}");
        }
    }

    #[test]
    fn only_eight_weeks_are_looked_back_upon() {
        let mut turnout = turnout(8, [10; 7]);
        let usual = learn(&turnout, &WeekFactors::equal());
        for _ in 0..500 {
            turnout.count(monday() - 57, 36);
        }
        assert_eq!(learn(&turnout, &WeekFactors::equal()), usual);
        for _ in 0..500 {
            turnout.count(monday() - 56, 36);
        }
        assert!(learn(&turnout, &WeekFactors::equal()).factor(monday()) > 2.0);
    }

    #[test]
    fn a_day_of_rest_has_less_than_half_of_the_middle_day() {
        let week = WeekFactors([1.0, 3.0, 2.0, 0.5, 0.499, 1.0, 0.9]);
        assert_eq!(rest_days(&week), [4], "half of it is none");
    }

    #[test]
    fn a_day_left_out_makes_its_day_of_the_week_one_of_fewer_days() {
        // Of two Mondays with two people each one is left out: 12 instance-days on 13 days.
        let turnout = turnout(2, [2, 1, 1, 1, 1, 1, 0]);
        let without = |day| day == monday() - 7;
        let week = WeekFactors::learn(&turnout, monday(), &WeekFactors::equal(), without);
        let (mean, weight) = (12.0 / 13.0, 40.0 / 7.0);
        let raw = [(2.0, 1.0), (2.0, 2.0), (2.0, 2.0), (2.0, 2.0), (2.0, 2.0), (2.0, 2.0), (0.0, 2.0)]
            .map(|(active, days)| (active + weight) / (mean * days + weight));
        let sum: f64 = raw.iter().sum();
        for (factor, raw) in week.factors().iter().zip(raw) {
            assert!((factor - 7.0 * raw / sum).abs() < 1e-9, "{week:?}");
        }
    }
}
