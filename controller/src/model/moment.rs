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
