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

#[cfg(test)]
mod tests {
    use super::*;

    const GAP_S: i64 = 7_200;
    const DAY_S: i64 = 86_400;

    fn seen(ats_s: &[i64]) -> Profile {
        let mut profile = Profile::default();
        for at_s in ats_s {
            profile.see_second(*at_s, 0, GAP_S);
        }
        profile
    }

    fn stays(profile: &Profile) -> Vec<(i32, i32)> {
        profile.stays().iter().map(|stay| (stay.start, stay.end)).collect()
    }

    fn at(day: i64, hour: i64) -> Moment {
        Moment::of_second(day * DAY_S + hour * 3_600, 0)
    }

    #[test]
    fn within_the_gap_of_the_one_before_it_is_the_same_stay() {
        let day = 96 * 100;
        let from_s = 100 * DAY_S;
        assert_eq!(stays(&seen(&[from_s, from_s + GAP_S - 1])), [(day, day + 7)]);
        assert_eq!(stays(&seen(&[from_s, from_s + GAP_S])), [(day, day), (day + 8, day + 8)]);
    }

    #[test]
    fn what_is_told_late_finds_its_place_and_does_not_move_the_last_one() {
        let day = 96 * 100;
        let from_s = 100 * DAY_S;
        let mut profile = seen(&[from_s, from_s + 40_000]);
        profile.see_second(from_s + 6_000, 0, GAP_S);
        profile.see_second(from_s + 20_000, 0, GAP_S);
        assert_eq!(stays(&profile), [(day, day + 6), (day + 22, day + 22), (day + 44, day + 44)]);
        assert_eq!(profile.last_seen().map(Timestamp::as_second), Some(from_s + 40_000));
        // By the last one it is a stay that goes on.
        profile.see_second(from_s + 47_000, 0, GAP_S);
        assert_eq!(stays(&profile)[2], (day + 44, day + 52));
    }

    #[test]
    fn a_profile_of_nothing_has_no_days() {
        let empty = Profile::default();
        assert!(empty.is_empty());
        assert_eq!((empty.first_day(), empty.last_seen()), (None, None));
        assert_eq!(
            (empty.days_before(100), empty.history_days(at(100, 0)), empty.active_days(at(100, 0), 30)),
            (0, 0, 0)
        );
        assert_eq!(empty.stay_before(at(100, 0)), None);
    }

    #[test]
    fn days_of_use_are_counted_back_from_any_day() {
        let profile = seen(&[100, 101, 103].map(|day| day * DAY_S + 43_200));
        for (day, days) in [(105, 0b11010), (104, 0b1101), (103, 0b110), (101, 0b1), (100, 0), (99, 0)] {
            assert_eq!(profile.days_before(day), days, "day {day}");
        }
        assert_eq!(profile.days_before(104 + 127), 1 << 127);
        assert_eq!((profile.days_before(104 + 128), profile.days_before(i32::MAX)), (0, 0));
        let active = |day: i64, days: u32| profile.active_days(at(day, 9), days);
        assert_eq!((active(104, 1), active(104, 2), active(104, 4), active(104, 200)), (1, 1, 3, 3));
        let history = |day: i64| profile.history_days(at(day, 9));
        assert_eq!((history(99), history(100), history(104)), (0, 0, 4));
        assert_eq!(profile.first_day(), Some(100));
    }

    #[test]
    fn a_day_told_late_is_marked_unless_it_is_too_long_ago() {
        let noon_s = |day: i64| day * DAY_S + 43_200;
        let mut profile = seen(&[noon_s(300)]);
        profile.see_second(noon_s(300 - 127), 0, GAP_S);
        profile.see_second(noon_s(300 - 128), 0, GAP_S);
        assert_eq!(profile.days_before(301), 1 | 1 << 127);
        assert_eq!(profile.first_day(), Some(300 - 128), "but it is known to have been there");
        // Long after, only the new is left.
        profile.see_second(noon_s(300 + 128), 0, GAP_S);
        assert_eq!(profile.days_before(300 + 129), 1);
    }

    #[test]
    fn the_stay_before_a_moment_began_at_or_before_it() {
        let profile = seen(&[100 * DAY_S + 3_600, 100 * DAY_S + 36_000]);
        let start = |hour: i64| profile.stay_before(at(100, hour)).map(|stay| stay.start - 9_600);
        assert_eq!(
            (start(0), start(1), start(9), start(10), start(23)),
            (None, Some(4), Some(4), Some(40), Some(40))
        );
    }
}
