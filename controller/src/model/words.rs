//! A profile in words: on how many days its user came about this time, and when last.

use std::fmt;

use super::{
    moment::Moment,
    profile::Profile,
    stays::{LocalQuarter, QUARTERS_PER_DAY},
};

/// Days that are looked back on.
const DAYS: i32 = 28;
/// The same days of the week that are looked back on.
const WEEKS: i32 = 8;

const WEEKDAYS: [&str; 7] =
    ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];

/// On how many days the user came within so long of this time of day, and when the instance was last in use.
///
/// Displayed: "came within the next 3 h on 9 of the last 28 days, 5 of 8 Tuesdays; last seen 14 h ago".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    within: i32,
    day_of_week: usize,
    /// Days on which it came, of days looked at.
    days: (u32, u32),
    /// The same for this day of the week.
    weekdays: (u32, u32),
    last_seen: Option<i32>,
}

/// Counts the days before `moment` on which a stay began within `within_s` of its time of day. Days before the first
/// sighting are not counted, nor those whose stays were forgotten for lack of room.
pub fn habit(profile: &Profile, moment: Moment, within_s: i64) -> Habit {
    let within = (within_s / 900).clamp(1, i64::from(7 * QUARTERS_PER_DAY)) as i32;
    let stays = profile.stays();
    let mut known = profile.history_days(moment);
    if stays.dropped()
        && let Some(oldest) = stays.get(0)
    {
        known = known.min((moment.quarter - oldest.start).max(0) / QUARTERS_PER_DAY);
    }
    let back_max = known.min(WEEKS * 7);
    // Bit `i`: came within so long of this time of day, `i + 1` days before.
    let mut came = 0u64;
    let oldest = moment.quarter - back_max * QUARTERS_PER_DAY;
    for stay in stays.iter().rev().skip_while(|stay| stay.start >= moment.quarter) {
        if stay.start < oldest {
            break;
        }
        came |= days_of(moment.quarter - stay.start, within, back_max);
    }
    let mask = |days: i32| (1u64 << days.clamp(0, 63)) - 1;
    let same = (0..WEEKS).fold(0u64, |same, week| same | 1 << (7 * week + 6)) & mask(back_max);
    let days = known.clamp(0, DAYS);
    let last_seen = profile.stay_before(moment).map(|stay| quarters_since(stay.end, moment));
    Habit {
        within,
        day_of_week: moment.day_of_week(),
        days: ((came & mask(days)).count_ones(), days.unsigned_abs()),
        weekdays: ((came & same).count_ones(), same.count_ones()),
        last_seen,
    }
}

/// The days whose window of `within` quarter hours, from the present time of day on, holds what was `ago` quarter
/// hours ago, as bits.
fn days_of(ago: i32, within: i32, back_max: i32) -> u64 {
    // The window of the day `back` days ago begins `back` days ago and holds what was less than `within` later.
    let first = (ago + QUARTERS_PER_DAY - 1) / QUARTERS_PER_DAY;
    let last = ((ago + within - 1) / QUARTERS_PER_DAY).min(back_max);
    (first.max(1)..=last).fold(0, |bits, back| bits | 1 << (back - 1))
}

fn quarters_since(end: LocalQuarter, moment: Moment) -> i32 {
    (moment.quarter - end).max(0)
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last_seen) = self.last_seen else { return write!(f, "never seen before") };
        let (came, days) = self.days;
        if days == 0 {
            write!(f, "first seen on this day")?;
        } else {
            let last = if days == 1 { "day".to_owned() } else { format!("{days} days") };
            write!(f, "came within the next {} on {came} of the last {last}", Quarters(self.within))?;
        }
        if let (came, weekdays @ 2..) = self.weekdays {
            write!(f, ", {came} of {weekdays} {}", WEEKDAYS[self.day_of_week])?;
        }
        write!(f, "; last seen {} ago", Quarters(last_seen))
    }
}

/// A number of quarter hours: minutes under two hours, hours under three days, then days.
struct Quarters(i32);

impl fmt::Display for Quarters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quarters = self.0;
        match quarters {
            1..8 if quarters % 4 != 0 => write!(f, "{} min", quarters * 15),
            ..=0 => write!(f, "0 min"),
            1..288 => write!(f, "{} h", (quarters + 2) / 4),
            _ => write!(f, "{} days", (quarters + QUARTERS_PER_DAY / 2) / QUARTERS_PER_DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tuesday 2026-03-03 00:00 of the local clock.
    const TUESDAY_S: i64 = 1_772_496_000;
    const DAY_S: i64 = 86_400;

    fn seen(days_back: &[i64], hour: i64) -> Profile {
        let mut profile = Profile::default();
        for back in days_back {
            profile.see_second(TUESDAY_S - back * DAY_S + hour * 3_600, 0, 7_200);
        }
        profile
    }

    fn words(profile: &Profile, hour: i64, within_s: i64) -> String {
        habit(profile, Moment::of_second(TUESDAY_S + hour * 3_600, 0), within_s).to_string()
    }

    #[test]
    fn days_and_the_same_day_of_the_week_are_counted() {
        let profile = seen(&[60, 56, 49, 28, 14, 7, 3, 2, 1], 10);
        assert_eq!(
            words(&profile, 8, 10_800),
            "came within the next 3 h on 6 of the last 28 days, 5 of 8 Tuesdays; last seen 22 h ago"
        );
        assert_eq!(
            words(&profile, 11, 3_600),
            "came within the next 1 h on 0 of the last 28 days, 0 of 8 Tuesdays; last seen 25 h ago"
        );
    }

    #[test]
    fn little_is_said_of_who_is_little_known() {
        assert_eq!(words(&Profile::default(), 8, 3_600), "never seen before");
        assert_eq!(words(&seen(&[0], 7), 8, 3_600), "first seen on this day; last seen 1 h ago");
        assert_eq!(
            words(&seen(&[3, 1], 9), 8, 5_400),
            "came within the next 90 min on 2 of the last 3 days; last seen 23 h ago"
        );
        assert_eq!(
            words(&seen(&[40], 9), 9, 900),
            "came within the next 15 min on 0 of the last 28 days, 0 of 5 Tuesdays; last seen 40 days ago"
        );
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_it_began_on() {
        let profile = seen(&[9, 2], 1);
        assert_eq!(
            words(&profile, 23, 10_800),
            "came within the next 3 h on 1 of the last 9 days; last seen 70 h ago"
        );
    }

    #[test]
    fn what_comes_later_is_not_told() {
        let mut profile = seen(&[9, 2], 9);
        let before = words(&profile, 8, 3_600);
        profile.see_second(TUESDAY_S + 9 * 3_600, 0, 7_200);
        assert_eq!(words(&profile, 8, 3_600), before);
    }

    proptest! {
        /// Against a count day by day.
        #[test]
        fn the_count_is_that_of_every_window(
            mut ago in proptest::collection::vec(1..70 * 96i32, 0..60),
            within in 1..400i32,
            slot in 0..96i32,
        ) {
            ago.sort_unstable_by_key(|ago| -ago);
            let now_s = TUESDAY_S + i64::from(slot) * 900;
            let mut profile = Profile::default();
            for ago in &ago {
                profile.see_second(now_s - i64::from(*ago) * 900, 0, 1);
            }
            let moment = Moment::of_second(now_s, 0);
            let found = habit(&profile, moment, i64::from(within) * 900);
            let days = profile.history_days(moment).min(DAYS);
            let came = (1..=days).filter(|back| {
                let from = back * 96;
                ago.iter().any(|ago| *ago <= from && *ago > from - within)
            });
            prop_assert_eq!(found.days, (came.count() as u32, days as u32));
            prop_assert!(found.weekdays.0 <= found.weekdays.1);
        }
    }

    #[test]
    fn lengths_are_told_in_minutes_hours_and_days() {
        let told =
            [-3, 0, 1, 4, 5, 7, 8, 9, 10, 287, 288, 335, 336].map(|quarters| Quarters(quarters).to_string());
        let expected =
            ["0 min", "0 min", "15 min", "1 h", "75 min", "105 min", "2 h", "2 h", "3 h", "72 h", "3 days"];
        assert_eq!(told[..11], expected);
        assert_eq!(told[11..], ["3 days", "4 days"]);
    }

    #[test]
    fn days_whose_stays_were_forgotten_are_not_counted() {
        // Every three hours for 25 days: the last 128 of them reach back 15 days and 22 hours from an hour after the last.
        let mut profile = Profile::default();
        for n in 0..200 {
            profile.see_second(TUESDAY_S - (199 - n) * 10_800, 0, 7_200);
        }
        assert_eq!(
            words(&profile, 1, 10_800),
            "came within the next 3 h on 15 of the last 15 days, 2 of 2 Tuesdays; last seen 1 h ago"
        );
    }

    #[test]
    fn one_day_and_one_week_are_told_as_such() {
        assert_eq!(
            words(&seen(&[1], 9), 8, 3_600),
            "came within the next 1 h on 0 of the last day; last seen 23 h ago"
        );
        assert_eq!(
            words(&seen(&[7, 6], 9), 9, 3_600),
            "came within the next 1 h on 2 of the last 7 days; last seen 6 days ago",
            "one Tuesday says nothing"
        );
        assert_eq!(
            words(&seen(&[14], 9), 9, 0),
            "came within the next 15 min on 1 of the last 14 days, 1 of 2 Tuesdays; last seen 14 days ago"
        );
    }
}
