//! How often an instance arrives in each hour of the week by itself: what a rule must beat.

/// Hours of a week.
pub(super) const HOURS: usize = 168;

const DAYS_PER_WEEK: i32 = 7;

/// Weeks after which counts are halved, so that old habits fade.
const WEEKS_MAX: f32 = 26.0;

/// Arrivals by hour of the week, in 168 bytes.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    /// Weeks in which it arrived in the hour.
    weeks_by_hour: Box<[u8; HOURS]>,
    /// Local hour, since 1970, of the last arrival that was counted.
    last_hour: i64,
    /// Local day it was first seen on, moved on as counts are halved.
    since_day: i32,
}

impl Rhythm {
    /// Of an instance that first arrives on `day`.
    pub(super) fn new(day: i32) -> Self {
        Self { weeks_by_hour: Box::new([0; HOURS]), last_hour: i64::MIN, since_day: day }
    }

    /// Counts an arrival in a local hour since 1970; several in one hour count once.
    pub(super) fn arrive(&mut self, hour: i64) {
        if hour <= self.last_hour {
            return;
        }
        self.last_hour = hour;
        let day = hour.div_euclid(24) as i32;
        if self.weeks(day) > WEEKS_MAX {
            self.weeks_by_hour.iter_mut().for_each(|count| *count /= 2);
            self.since_day = day - (WEEKS_MAX as i32 / 2) * DAYS_PER_WEEK;
        }
        let count = &mut self.weeks_by_hour[hour.rem_euclid(HOURS as i64) as usize];
        *count = count.saturating_add(1);
    }

    /// Probability that it arrives in any of the `count` local hours from `hour` on: at most the sum of their shares
    /// of weeks. One week of its mean rate is added to each hour, so that none is impossible.
    ///
    /// Hours count as a whole even where a span covers part of them. This takes a rhythm for stronger than it is and
    /// a rule for weaker, never the other way.
    pub(super) fn expected(&self, hour: i64, count: i64) -> f64 {
        let weeks = f64::from(self.weeks(hour.div_euclid(24) as i32).max(1.0));
        let arrivals: u32 = self.weeks_by_hour.iter().map(|count| u32::from(*count)).sum();
        let mean = (f64::from(arrivals) + 1.0) / (weeks * HOURS as f64);
        let share = |hour: i64| {
            let seen = self.weeks_by_hour[hour.rem_euclid(HOURS as i64) as usize];
            (f64::from(seen) + mean) / (weeks + 1.0)
        };
        (hour..hour + count).map(share).sum::<f64>().min(1.0)
    }

    fn weeks(&self, day: i32) -> f32 {
        (day - self.since_day + 1) as f32 / DAYS_PER_WEEK as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_expected_as_often_as_it_was_met() {
        let mut rhythm = Rhythm::new(0);
        for week in 0..20 {
            rhythm.arrive(week * 168 + 9);
            rhythm.arrive(week * 168 + 9);
        }
        let at = 20 * 168;
        assert!(rhythm.expected(at + 9, 1) > 0.9);
        assert!(rhythm.expected(at + 8, 2) > 0.9);
        assert!(rhythm.expected(at + 10, 2) < 0.01);
        assert!(rhythm.expected(at + 10, 2) > 0.0, "never impossible");
    }

    #[test]
    fn old_habits_fade() {
        let mut rhythm = Rhythm::new(0);
        (0..26).for_each(|week| rhythm.arrive(week * 168 + 9));
        (26..78).for_each(|week| rhythm.arrive(week * 168 + 33));
        let at = 78 * 168;
        assert!(rhythm.expected(at + 9, 1) < 0.2, "{}", rhythm.expected(at + 9, 1));
        assert!(rhythm.expected(at + 33, 1) > 0.8, "{}", rhythm.expected(at + 33, 1));
    }

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn a_share_is_of_its_weeks_with_one_more_at_the_mean_rate() {
        let mut rhythm = Rhythm::new(0);
        for week in 0..20 {
            rhythm.arrive(week * 168 + 9);
        }
        // After 141 days, or 20.142857 weeks, 20 arrivals: 0.0062058 an hour with one more.
        let at = 20 * 168;
        assert_near(rhythm.expected(at + 9, 1), 0.946_239_5);
        assert_near(rhythm.expected(at + 10, 2), 0.000_587_0);
        assert_near(rhythm.expected(at + 8, 1_000), 1.0);
        let mut young = Rhythm::new(0);
        young.arrive(9);
        // No less than a week is counted: two of 168, over two weeks.
        assert_near(young.expected(33, 1), 1.0 / 168.0);
        assert_near(young.expected(8, 2), 0.5 + 2.0 / 168.0);
    }

    #[test]
    fn counts_are_halved_once_they_are_of_more_than_26_weeks() {
        let mut rhythm = Rhythm::new(0);
        (0..26).for_each(|week| rhythm.arrive(week * 168 + 9));
        rhythm.arrive(181 * 24 + 9);
        assert_eq!((rhythm.weeks_by_hour[9], rhythm.weeks_by_hour[153]), (26, 1), "on the last day of them");
        rhythm.arrive(182 * 24 + 9);
        assert_eq!((rhythm.weeks_by_hour[9], rhythm.weeks_by_hour[153]), (14, 0));
        // As if it had been seen for 13 weeks by then.
        assert_near(rhythm.expected(182 * 24 + 9, 1), 0.990_379_3);
    }
}
