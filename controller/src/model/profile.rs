//! What is remembered of one instance: its last stays, the days it was used on, when it was first and last seen.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    moment::Moment,
    stays::{QUARTERS_PER_DAY, Stay, Stays},
};

/// Days whose use is remembered, one bit each.
pub const DAYS_MAX: i32 = u128::BITS as i32;

/// What was learned of one instance, on its own clock. Updated with every sighting, in bounded time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Bit `i`: used on local day `newest_day - i`.
    days: u128,
    last_seen_s: i64,
    newest_day: i32,
    first_day: i32,
    stays: Stays,
}

const _: () = assert!(size_of::<Profile>() <= 512, "thousands of profiles are kept in memory");

impl Default for Profile {
    fn default() -> Self {
        Self {
            days: 0,
            last_seen_s: i64::MIN,
            newest_day: i32::MIN,
            first_day: i32::MAX,
            stays: Stays::default(),
        }
    }
}

impl Profile {
    /// Takes a sighting. Within `idle_gap_s` of the one before it is the same stay. Late ones find their place.
    pub fn see(&mut self, at: Timestamp, zone: &TimeZone, idle_gap_s: i64) {
        self.see_second(at.as_second(), zone.to_offset(at).seconds(), idle_gap_s);
    }

    /// As [`Profile::see`], with the seconds since 1970 (UTC) and what the local clock is ahead of UTC.
    pub fn see_second(&mut self, at_s: i64, offset_s: i32, idle_gap_s: i64) {
        let moment = Moment::of_second(at_s, offset_s);
        let since_s = at_s.saturating_sub(self.last_seen_s);
        if self.stays.is_empty() || since_s >= idle_gap_s {
            self.stays.begin(moment.quarter);
        } else if since_s >= 0 {
            self.stays.prolong(moment.quarter);
        } else {
            self.stays.late(moment.quarter, (idle_gap_s / 900) as i32);
        }
        self.last_seen_s = self.last_seen_s.max(at_s);
        self.mark(moment.day());
    }

    fn mark(&mut self, day: i32) {
        self.first_day = self.first_day.min(day);
        if self.days == 0 {
            self.newest_day = day;
        }
        let ahead = day.saturating_sub(self.newest_day);
        if ahead > 0 {
            self.days = self.days.checked_shl(ahead.unsigned_abs()).unwrap_or(0);
            self.newest_day = day;
        }
        let back = self.newest_day.saturating_sub(day);
        if back < DAYS_MAX {
            self.days |= 1 << back;
        }
    }

    pub fn stays(&self) -> &Stays {
        &self.stays
    }

    pub fn is_empty(&self) -> bool {
        self.stays.is_empty()
    }

    /// Local day of the first sighting, in days since 1970.
    pub fn first_day(&self) -> Option<i32> {
        (!self.is_empty()).then_some(self.first_day)
    }

    pub fn last_seen(&self) -> Option<Timestamp> {
        if self.is_empty() { None } else { Timestamp::from_second(self.last_seen_s).ok() }
    }

    /// The days before `day`: bit `i` says that it was used `i + 1` days before.
    pub fn days_before(&self, day: i32) -> u128 {
        let shift = i64::from(day) - 1 - i64::from(self.newest_day);
        match u32::try_from(shift.unsigned_abs()) {
            Ok(shift_days) if shift >= 0 => self.days.checked_shl(shift_days).unwrap_or(0),
            Ok(shift_days) => self.days.checked_shr(shift_days).unwrap_or(0),
            Err(_) => 0,
        }
    }

    /// The last stay that began at or before `moment`.
    pub fn stay_before(&self, moment: Moment) -> Option<Stay> {
        self.stays.iter().rev().find(|stay| stay.start <= moment.quarter)
    }

    /// Complete local days it was known before `moment`.
    pub fn history_days(&self, moment: Moment) -> i32 {
        if self.is_empty() { 0 } else { moment.day().saturating_sub(self.first_day).max(0) }
    }

    /// Days with use among the last `days` complete ones.
    pub fn active_days(&self, moment: Moment, days: u32) -> u32 {
        let mask = 1u128.checked_shl(days).map_or(u128::MAX, |bit| bit - 1);
        (self.days_before(moment.day()) & mask).count_ones()
    }

    pub(super) fn restore(
        days: u128,
        last_seen_s: i64,
        newest_day: i32,
        first_day: i32,
        stays: Stays,
    ) -> Self {
        Self { days, last_seen_s, newest_day, first_day, stays }
    }

    pub(super) fn parts(&self) -> (u128, i64, i32, i32) {
        (self.days, self.last_seen_s, self.newest_day, self.first_day)
    }
}

/// Quarter hours from the local midnight of `day` on are `day`'s.
pub(super) fn day_of_quarter(quarter: i32) -> i32 {
    quarter.div_euclid(QUARTERS_PER_DAY)
}
