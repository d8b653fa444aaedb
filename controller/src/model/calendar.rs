//! Local days and clock hours of an instant. Days are counted from 1970-01-01, hours from 0 to 23.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// A clock hour of a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalHour {
    /// Days since 1970-01-01.
    pub day: i32,
    /// 0..=23.
    pub hour: u8,
}

/// The local clock hour `at` falls in.
pub fn local_hour(zone: &TimeZone, at: Timestamp) -> LocalHour {
    let local_s = local_second(zone, at);
    LocalHour { day: local_s.div_euclid(DAY_S) as i32, hour: (local_s.rem_euclid(DAY_S) / HOUR_S) as u8 }
}

/// When the local clock hour of `at` began. Where the clock was changed inside that hour, when it would have
/// begun by the clock now in force.
pub fn hour_start(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let into_s = local_second(zone, at).rem_euclid(HOUR_S);
    let into = SignedDuration::new(into_s, at.subsec_nanosecond());
    at.saturating_sub(into).unwrap_or(Timestamp::MIN)
}

/// When the local clock next shows a whole hour after `at`.
pub fn next_hour_start(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let next = hour_start(zone, at).saturating_add(SignedDuration::from_hours(1));
    next.unwrap_or(Timestamp::MAX)
}

/// Days from 1970-01-01 to `date`.
pub fn day_of(date: Date) -> i32 {
    (date.duration_since(EPOCH).as_secs() / DAY_S) as i32
}

/// The date `day` days after 1970-01-01, bounded by the calendar's first and last date.
pub fn date_of(day: i32) -> Date {
    EPOCH.saturating_add(SignedDuration::from_secs(i64::from(day) * DAY_S))
}

/// Whether the day is a Saturday or a Sunday. 1970-01-01 was a Thursday.
pub fn is_weekend(day: i32) -> bool {
    (day + 3).rem_euclid(7) >= 5
}

fn local_second(zone: &TimeZone, at: Timestamp) -> i64 {
    // Floor, not truncation: half a second before 1970 is in 1969.
    let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    second + i64::from(zone.to_offset(at).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a known zone")
    }

    #[test]
    fn half_hour_zones_have_their_own_hours() {
        let kolkata = zone("Asia/Kolkata");
        let moment = at("2026-03-02T18:45:00Z");
        assert_eq!(
            local_hour(&kolkata, moment),
            LocalHour { day: day_of("2026-03-03".parse().unwrap()), hour: 0 }
        );
        assert_eq!(hour_start(&kolkata, moment), at("2026-03-02T18:30:00Z"));
        assert_eq!(next_hour_start(&kolkata, moment), at("2026-03-02T19:30:00Z"));
    }

    #[test]
    fn fractions_of_a_second_fall_in_the_hour_they_are_in() {
        let moment = at("2026-03-02T09:59:59.5Z");
        assert_eq!(local_hour(&TimeZone::UTC, moment).hour, 9);
        assert_eq!(hour_start(&TimeZone::UTC, moment), at("2026-03-02T09:00:00Z"));
        assert_eq!(local_hour(&TimeZone::UTC, at("1969-12-31T23:59:59.5Z")), LocalHour { day: -1, hour: 23 });
    }

    #[test]
    fn clock_changes_skip_an_hour_or_show_it_twice() {
        let berlin = zone("Europe/Berlin");
        // Spring: 02:00 is 03:00.
        assert_eq!(local_hour(&berlin, at("2026-03-29T00:59:00Z")).hour, 1);
        assert_eq!(local_hour(&berlin, next_hour_start(&berlin, at("2026-03-29T00:59:00Z"))).hour, 3);
        // Autumn: 02:00 comes twice.
        assert_eq!(local_hour(&berlin, at("2026-10-25T00:30:00Z")).hour, 2);
        assert_eq!(local_hour(&berlin, at("2026-10-25T01:30:00Z")).hour, 2);
    }

    #[test]
    fn days_and_dates_agree_and_weekends_are_saturday_and_sunday() {
        let monday: Date = "2024-02-26".parse().unwrap();
        for ahead in 0..7 {
            let day = day_of(monday) + ahead;
            assert_eq!(day_of(date_of(day)), day);
            assert_eq!(is_weekend(day), ahead >= 5, "{}", date_of(day));
        }
        assert_eq!(day_of("1969-12-31".parse().unwrap()), -1);
    }
}
