//! What is remembered of one instance: on which of the last local days it was active in which clock hours.

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    calendar::{date_of, day_of, is_weekend},
    rule::{LOOKAHEAD_H_MAX, Rule, Split},
};
use crate::visits::Activity;

const QUARTERS_PER_DAY: u32 = 96;
const QUARTER_S: i64 = 900;
const DAY_S: i64 = 86_400;

/// The last days of one instance, as they were known at the start of the local day `as_of`.
///
/// The presence itself is kept rather than counts, because it is as small (24 bits a day) and answers for every
/// split, look-ahead and share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct HourProfile {
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub(super) zone: TimeZone,
    /// The first local day that was *not* used, in days since 1970.
    pub(super) as_of_day: i32,
    /// Local day of the first sighting before `as_of`.
    pub(super) first_day: Option<i32>,
    /// Bit `h` of element `i`: active in clock hour `h` of day `as_of - len + i`.
    pub(super) hours_by_day: Box<[u32]>,
}

/// A profile as it is read, before its bounds are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unchecked {
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub(super) zone: TimeZone,
    pub(super) as_of_day: i32,
    pub(super) first_day: Option<i32>,
    pub(super) hours_by_day: Vec<u32>,
}

/// On how many of the days compared the instance was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub active_days: u16,
    pub days: u16,
}

impl HourProfile {
    /// Fits a profile from the complete local days before `as_of`; what happened on `as_of` or later is not looked
    /// at. A clock hour that a clock change showed twice is one hour, one it skipped is one without activity.
    pub fn fit(activity: &Activity, zone: &TimeZone, as_of: Date, rule: &Rule) -> Self {
        let as_of_day = day_of(as_of);
        let mut hours_by_day = vec![0u32; usize::from(rule.history_days)].into_boxed_slice();
        let from_day = as_of_day - i32::from(rule.history_days);
        // A local day lies within the UTC days before and after it.
        let near = activity.days().rev().skip_while(|(utc_day, _)| *utc_day > as_of_day);
        for (utc_day, mask) in near.take_while(|(utc_day, _)| *utc_day >= from_day - 1) {
            for (day, hour) in local_hours(mask, utc_day, zone) {
                if let Some(slot) = slot(day, from_day).and_then(|i| hours_by_day.get_mut(i)) {
                    *slot |= 1 << hour;
                }
            }
        }
        let first_day = first_local_day(activity, zone).filter(|day| *day < as_of_day);
        Self { zone: zone.clone(), as_of_day, first_day, hours_by_day }
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first local day that was not used.
    pub fn as_of(&self) -> Date {
        date_of(self.as_of_day)
    }

    /// Local day of the first sighting.
    pub fn first_day(&self) -> Option<Date> {
        self.first_day.map(date_of)
    }

    /// Complete days between the first sighting and `as_of`, the first one counted.
    pub fn history_days(&self) -> i32 {
        self.first_day.map_or(0, |first| self.as_of_day - first)
    }

    /// Days with any activity among the last `days`.
    pub fn active_days(&self, days: u16) -> u16 {
        self.last(days).iter().filter(|hours| **hours != 0).count() as u16
    }

    /// Of the last days of the kind `day` is of (as the rule splits them), since the first sighting: on how many
    /// the instance was active in the `rule.lookahead_h` clock hours from `hour` on, and how many there were.
    ///
    /// A look-ahead that runs past midnight of the last complete day sees nothing there.
    pub fn tally(&self, rule: &Rule, day: i32, hour: u8) -> Tally {
        let hours = self.last(rule.history_days);
        let from_day = self.as_of_day - hours.len() as i32;
        let first_day = self.first_day.unwrap_or(self.as_of_day);
        let mut tally = Tally { active_days: 0, days: 0 };
        for (i, today) in hours.iter().enumerate() {
            let past = from_day + i as i32;
            let alike = rule.split == Split::None || is_weekend(past) == is_weekend(day);
            if past < first_day || !alike {
                continue;
            }
            let tomorrow = hours.get(i + 1).copied().unwrap_or(0);
            let two_days = u64::from(*today) | u64::from(tomorrow) << 24;
            let ahead = (1u64 << rule.lookahead_h.min(LOOKAHEAD_H_MAX)) - 1;
            tally.days += 1;
            tally.active_days += u16::from(two_days >> hour & ahead != 0);
        }
        tally
    }

    fn last(&self, days: u16) -> &[u32] {
        &self.hours_by_day[self.hours_by_day.len().saturating_sub(usize::from(days))..]
    }
}

fn slot(day: i32, from_day: i32) -> Option<usize> {
    usize::try_from(day - from_day).ok()
}

/// The local days and clock hours of the quarter hours in `mask`. All zones of our time are whole quarters off UTC.
fn local_hours(mut mask: u128, utc_day: i32, zone: &TimeZone) -> impl Iterator<Item = (i32, u8)> {
    let day_s = i64::from(utc_day) * DAY_S;
    let offset_s = |s: i64| {
        let at = jiff::Timestamp::from_second(s).unwrap_or(jiff::Timestamp::MAX);
        i64::from(zone.to_offset(at).seconds())
    };
    // Most days have one offset; only where the clock was changed each quarter is asked for.
    let steady_s = (mask != 0).then(|| offset_s(day_s)).filter(|s| *s == offset_s(day_s + DAY_S - 1));
    std::iter::from_fn(move || {
        let quarter = mask.trailing_zeros();
        if quarter >= QUARTERS_PER_DAY {
            return None;
        }
        mask &= mask - 1;
        let at_s = day_s + i64::from(quarter) * QUARTER_S;
        let local_s = at_s + steady_s.unwrap_or_else(|| offset_s(at_s));
        Some((local_s.div_euclid(DAY_S) as i32, (local_s.rem_euclid(DAY_S) / 3_600) as u8))
    })
}

fn first_local_day(activity: &Activity, zone: &TimeZone) -> Option<i32> {
    let (utc_day, mask) = activity.days().next()?;
    local_hours(mask, utc_day, zone).next().map(|(day, _)| day)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn seen(times: &[&str]) -> Activity {
        let mut activity = Activity::default();
        for time in times {
            activity.insert(time.parse::<Timestamp>().expect("a timestamp"));
        }
        activity
    }

    fn fit(times: &[&str], zone: &str, as_of: &str) -> HourProfile {
        let zone = TimeZone::get(zone).expect("a known zone");
        HourProfile::fit(&seen(times), &zone, as_of.parse().expect("a date"), &Rule::default())
    }

    fn day(text: &str) -> i32 {
        day_of(text.parse().expect("a date"))
    }

    fn daily(history_days: u16) -> Rule {
        Rule { split: Split::None, history_days, ..Rule::default() }
    }

    #[test]
    fn only_complete_days_before_the_date_are_used() {
        // 09:30 on each of three days, fitted on the morning of the third.
        let times = ["2026-03-02T09:30:00Z", "2026-03-03T09:30:00Z", "2026-03-04T09:30:00Z"];
        let profile = fit(&times, "UTC", "2026-03-04");
        assert_eq!(profile.tally(&daily(30), day("2026-03-04"), 9), Tally { active_days: 2, days: 2 });
        assert_eq!(profile.tally(&daily(30), day("2026-03-04"), 10), Tally { active_days: 0, days: 2 });
        assert_eq!(profile.history_days(), 2);
        assert_eq!(profile.active_days(30), 2);
        assert_eq!(profile.active_days(1), 1);
        assert_eq!(fit(&times[2..], "UTC", "2026-03-04").first_day(), None);
    }

    #[test]
    fn days_older_than_the_history_are_forgotten_but_the_first_day_is_known() {
        let profile = fit(&["2026-01-01T09:00:00Z", "2026-02-02T09:00:00Z"], "UTC", "2026-03-04");
        assert_eq!(profile.first_day(), Some("2026-01-01".parse().unwrap()));
        assert_eq!(profile.tally(&daily(30), day("2026-03-04"), 9), Tally { active_days: 1, days: 30 });
        assert_eq!(profile.tally(&daily(29), day("2026-03-04"), 9), Tally { active_days: 0, days: 29 });
    }

    #[test]
    fn weekdays_are_compared_with_weekdays() {
        // Friday, Saturday, Sunday, Monday; fitted for Tuesday.
        let times =
            ["2026-02-27T09:00:00Z", "2026-02-28T09:00:00Z", "2026-03-01T11:00:00Z", "2026-03-02T09:00:00Z"];
        let profile = fit(&times, "UTC", "2026-03-03");
        let rule = Rule::default();
        assert_eq!(profile.tally(&rule, day("2026-03-03"), 9), Tally { active_days: 2, days: 2 });
        assert_eq!(profile.tally(&rule, day("2026-03-07"), 9), Tally { active_days: 1, days: 2 });
        assert_eq!(profile.tally(&daily(30), day("2026-03-07"), 9), Tally { active_days: 3, days: 4 });
    }

    #[test]
    fn a_look_ahead_crosses_midnight_into_the_next_complete_day() {
        let profile = fit(&["2026-03-02T00:10:00Z", "2026-03-04T01:10:00Z"], "UTC", "2026-03-05");
        let rule = Rule { lookahead_h: 3, ..daily(30) };
        assert_eq!(profile.tally(&rule, day("2026-03-05"), 23), Tally { active_days: 1, days: 3 });
        assert_eq!(profile.tally(&rule, day("2026-03-05"), 22), Tally { active_days: 0, days: 3 });
        assert_eq!(profile.tally(&rule, day("2026-03-05"), 0), Tally { active_days: 2, days: 3 });
    }

    #[test]
    fn hours_are_those_of_the_zone_on_both_sides_of_a_clock_change() {
        // 09:15 in Berlin, before (UTC+1) and after (UTC+2) the change of 2026-03-29, and on its day.
        let times = ["2026-03-27T08:15:00Z", "2026-03-29T07:15:00Z", "2026-03-30T07:15:00Z"];
        let profile = fit(&times, "Europe/Berlin", "2026-03-31");
        assert_eq!(profile.tally(&daily(30), day("2026-03-31"), 9), Tally { active_days: 3, days: 4 });
        // Both 02:30 of the autumn night are one clock hour.
        let profile = fit(&["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"], "Europe/Berlin", "2026-10-26");
        assert_eq!(profile.tally(&daily(30), day("2026-10-26"), 2), Tally { active_days: 1, days: 1 });
        assert_eq!(profile.hours_by_day.iter().map(|h| h.count_ones()).sum::<u32>(), 1);
    }

    #[test]
    fn a_local_day_reaches_into_its_neighbours_in_utc() {
        let profile = fit(&["2026-03-01T13:30:00Z"], "Pacific/Auckland", "2026-03-03");
        assert_eq!(profile.first_day(), Some("2026-03-02".parse().unwrap()));
        assert_eq!(profile.tally(&daily(30), day("2026-03-03"), 2), Tally { active_days: 1, days: 1 });
        let profile = fit(&["2026-03-03T07:30:00Z"], "America/Los_Angeles", "2026-03-03");
        assert_eq!(profile.tally(&daily(30), day("2026-03-03"), 23), Tally { active_days: 1, days: 1 });
    }
}
