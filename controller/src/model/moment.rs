//! The instant a forecast is made for, as the instance's own clock shows it.

use jiff::{Timestamp, tz::TimeZone};

use super::stays::{LocalQuarter, QUARTERS_PER_DAY};

pub(super) const QUARTER_S: i64 = 900;

/// A quarter hour of a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub quarter: LocalQuarter,
}

impl Moment {
    pub fn new(at: Timestamp, zone: &TimeZone) -> Self {
        Self::of_second(at.as_second(), zone.to_offset(at).seconds())
    }

    /// `at_s` in seconds since 1970 (UTC), and what the local clock is ahead of UTC then.
    pub fn of_second(at_s: i64, offset_s: i32) -> Self {
        let quarter = (at_s + i64::from(offset_s)).div_euclid(QUARTER_S);
        Self { quarter: quarter.clamp(i64::from(i32::MIN / 2), i64::from(i32::MAX / 2)) as i32 }
    }

    /// Days since 1970-01-01 of the local clock.
    pub fn day(self) -> i32 {
        self.quarter.div_euclid(QUARTERS_PER_DAY)
    }

    /// 0..96.
    pub fn slot(self) -> usize {
        self.quarter.rem_euclid(QUARTERS_PER_DAY) as usize
    }

    /// 0 is Monday. 1970-01-01 was a Thursday.
    pub fn day_of_week(self) -> usize {
        (self.day() + 3).rem_euclid(7) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_quarter_hour_of_the_local_clock() {
        // 2026-03-02, a Monday, 23:50 UTC: the day after in Kolkata, and still the evening in New York.
        let at: Timestamp = "2026-03-02T23:50:00Z".parse().expect("a timestamp");
        let shown = |zone: &str| {
            let moment = Moment::new(at, &TimeZone::get(zone).expect("a known zone"));
            (moment.day(), moment.slot(), moment.day_of_week())
        };
        assert_eq!(shown("UTC"), (20_514, 95, 0));
        assert_eq!(shown("Asia/Kolkata"), (20_515, 21, 1));
        assert_eq!(shown("America/New_York"), (20_514, 75, 0));
    }

    #[test]
    fn days_before_1970_are_counted_down_and_no_time_is_too_far() {
        let moment = Moment::of_second(-1, 0);
        assert_eq!((moment.quarter, moment.day(), moment.slot(), moment.day_of_week()), (-1, -1, 95, 2));
        assert_eq!(Moment::of_second(i64::MAX / 2, 0).quarter, i32::MAX / 2);
        assert_eq!(Moment::of_second(i64::MIN / 2, 0).quarter, i32::MIN / 2);
    }
}
