//! Turnout: how many instances were active on each local day, and by what time of it.
//!
//! Filled from the activity of the instances of a fleet or a cohort, each in its own zone; what the days of a week
//! are like and which days are unusual is learned from it.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::visits::{Activity, QUARTER_S, QUARTERS_PER_DAY};

const DAY_S: i64 = 86_400;

/// Quarter hours of a day by the clock.
pub const QUARTERS: usize = QUARTERS_PER_DAY as usize;

/// Active instances by local day. Days are counted from 1970-01-01.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnout {
    /// For each day, how many instances were first active in each of its quarter hours.
    first_seen: BTreeMap<i32, Box<[u32; QUARTERS]>>,
}

impl Turnout {
    /// Counts one instance on each local day from `from_day` on that it was active on. Count it once: the same
    /// instance counted again is another one.
    pub fn add(&mut self, activity: &Activity, zone: &TimeZone, from_day: i32) {
        let mut last_day = i32::MIN;
        // A local day may begin in the UTC day before it.
        for (utc_day, mask) in activity.days().skip_while(|(day, _)| *day < from_day - 1) {
            for (day, quarter) in local_quarters(zone, utc_day, mask) {
                if day >= from_day && day > last_day {
                    last_day = day;
                    self.count(day, quarter);
                }
            }
        }
    }

    /// Counts one more instance that was first active on `day` in `quarter` of its clock, 0..96.
    pub fn count(&mut self, day: i32, quarter: usize) {
        let counts = self.first_seen.entry(day).or_insert_with(|| Box::new([0; QUARTERS]));
        counts[quarter.min(QUARTERS - 1)] += 1;
    }

    /// Instances active on `day`.
    pub fn active(&self, day: i32) -> u32 {
        self.active_by(day, QUARTERS)
    }

    /// Instances active on `day` before its quarter hour `quarter`: of a day that goes on, what is known when that
    /// quarter begins.
    pub fn active_by(&self, day: i32, quarter: usize) -> u32 {
        let counts = self.first_seen.get(&day);
        counts.map_or(0, |counts| counts[..quarter.min(QUARTERS)].iter().sum())
    }

    /// The first day with any activity.
    pub fn first_day(&self) -> Option<i32> {
        self.first_seen.first_key_value().map(|(day, _)| *day)
    }

    /// The last day with any activity.
    pub fn last_day(&self) -> Option<i32> {
        self.first_seen.last_key_value().map(|(day, _)| *day)
    }
}

/// Local days and quarter hours of the quarter hours in `mask`, of which the first of each local day is among them.
fn local_quarters(zone: &TimeZone, utc_day: i32, mut mask: u128) -> impl Iterator<Item = (i32, usize)> {
    let offset_s = move |quarter: i64| {
        let at = Timestamp::from_second(i64::from(utc_day) * DAY_S + quarter * QUARTER_S);
        i64::from(zone.to_offset(at.unwrap_or(Timestamp::MAX)).seconds())
    };
    // Where the clock was not changed, only the first quarter hour before and after midnight need be looked at.
    let steady_s = Some(offset_s(0)).filter(|s| *s == offset_s(i64::from(QUARTERS_PER_DAY) - 1));
    std::iter::from_fn(move || {
        let quarter = i64::from(mask.trailing_zeros());
        if quarter >= i64::from(QUARTERS_PER_DAY) {
            return None;
        }
        let local_s = quarter * QUARTER_S + steady_s.unwrap_or_else(|| offset_s(quarter));
        let midnight = (local_s.div_euclid(DAY_S) + 1) * DAY_S;
        // Quarters up to the next local midnight fall on the same day.
        let until =
            steady_s.map_or(quarter + 1, |steady_s| (midnight - steady_s + QUARTER_S - 1) / QUARTER_S);
        mask &= u128::MAX.checked_shl(until.max(quarter + 1) as u32).unwrap_or(0);
        let day = utc_day + local_s.div_euclid(DAY_S) as i32;
        Some((day, (local_s.rem_euclid(DAY_S) / QUARTER_S) as usize))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::calendar::day_of;

    fn seen(times: &[&str]) -> Activity {
        times.iter().map(|time| time.parse::<Timestamp>().expect("a timestamp")).collect()
    }

    #[test]
    fn an_instance_counts_once_a_day_when_it_was_first_active() {
        let mut turnout = Turnout::default();
        let berlin = TimeZone::get("Europe/Berlin").expect("a known zone");
        let day = day_of("2026-03-03".parse().expect("a date"));
        turnout.add(
            &seen(&["2026-03-02T23:10:00Z", "2026-03-03T08:00:00Z", "2026-03-03T23:30:00Z"]),
            &berlin,
            day,
        );
        turnout.add(&seen(&["2026-03-03T08:20:00Z"]), &berlin, day);
        assert_eq!(turnout.active(day), 2);
        assert_eq!(turnout.active(day + 1), 1);
        assert_eq!((turnout.active_by(day, 0), turnout.active_by(day, 1)), (0, 1));
        assert_eq!((turnout.active_by(day, 37), turnout.active_by(day, 38)), (1, 2));
    }

    proptest! {
        /// Whatever the zone, and over a clock change, it is as if every quarter hour were looked at.
        #[test]
        fn the_short_way_counts_like_the_long_one(
            quarters in proptest::collection::vec(0..96 * 20i64, 1..60), zone in 0..4usize,
        ) {
            let names = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"];
            let zone = TimeZone::get(names[zone]).expect("a known zone");
            let start: Timestamp = "2026-03-02T00:00:00Z".parse().expect("a timestamp");
            let times: Vec<_> = quarters.iter().map(|q| start + jiff::SignedDuration::from_secs(q * 900)).collect();
            let (mut short, mut long) = (Turnout::default(), Turnout::default());
            short.add(&times.iter().copied().collect(), &zone, 20_000);
            let mut sorted = times;
            sorted.sort_unstable();
            let mut last = None;
            for at in sorted {
                let local = zone.to_datetime(at);
                if last.replace(local.date()) != Some(local.date()) {
                    let quarter = usize::from(local.hour().unsigned_abs()) * 4 + usize::from(local.minute().unsigned_abs()) / 15;
                    long.count(day_of(local.date()), quarter);
                }
            }
            prop_assert_eq!(short, long);
        }
    }

    #[test]
    fn days_before_the_first_asked_for_are_not_counted() {
        let mut turnout = Turnout::default();
        turnout.add(&seen(&["2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"]), &TimeZone::UTC, 20_515);
        assert_eq!(turnout.first_day(), Some(day_of("2026-03-03".parse().expect("a date"))));
        assert_eq!(turnout.last_day(), turnout.first_day());
    }

    #[test]
    fn what_is_later_than_a_day_has_quarter_hours_counts_in_its_last_one() {
        let mut turnout = Turnout::default();
        turnout.count(20_514, 95);
        turnout.count(20_514, 96);
        turnout.count(20_516, 0);
        assert_eq!(
            (turnout.active_by(20_514, 95), turnout.active(20_514), turnout.active_by(20_514, 500)),
            (0, 2, 2)
        );
        assert_eq!((turnout.first_day(), turnout.last_day()), (Some(20_514), Some(20_516)));
        assert_eq!((turnout.active(20_515), Turnout::default().first_day()), (0, None));
    }
}
