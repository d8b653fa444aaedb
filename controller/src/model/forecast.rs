//! How likely an instance is used in a clock hour or a span, from its profile, with the reason in words.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    calendar::{is_weekend, local_hour, next_hour_start},
    hours::HourProfile,
    rule::{Rule, Split},
};

/// Oldest profile a forecast is made from, in days between its date and the day forecast.
pub const PROFILE_AGE_DAYS_MAX: i32 = 14;

/// Longest span a forecast is made for.
pub const SPAN_H_MAX: i64 = 24 * 7;

/// Why nothing is said about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Abstain {
    /// Not seen on any complete day.
    NoHistory,
    /// First seen only so many days ago.
    TooShort { days: u16 },
    /// Active on so few of the last days.
    TooQuiet { active_days: u16 },
    /// The profile was fitted so many days before the day asked for.
    Stale { days: u16 },
    /// The day asked for is one the profile was fitted on.
    Past,
}

impl Abstain {
    pub fn code(self) -> &'static str {
        match self {
            Self::NoHistory => "no_history",
            Self::TooShort { .. } => "too_short",
            Self::TooQuiet { .. } => "too_quiet",
            Self::Stale { .. } => "stale",
            Self::Past => "past",
        }
    }
}

impl fmt::Display for Abstain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHistory => write!(f, "never seen on a complete day"),
            Self::TooShort { days } => write!(f, "first seen only {days} days ago"),
            Self::TooQuiet { active_days } => write!(f, "active on only {active_days} of the last days"),
            Self::Stale { days } => write!(f, "the profile is {days} days old"),
            Self::Past => write!(f, "the day is one the profile was fitted on"),
        }
    }
}

/// The days a probability was counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub active_days: u16,
    pub days: u16,
    pub compared: Compared,
    /// Clock hours in which activity counted.
    pub lookahead_h: u8,
}

/// Which days were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    Days,
    Weekdays,
    WeekendDays,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = match self.lookahead_h {
            0 | 1 => "in this hour".to_owned(),
            n => format!("in this hour or the {} after it", n - 1),
        };
        let compared = match self.compared {
            Compared::Days => "days",
            Compared::Weekdays => "weekdays",
            Compared::WeekendDays => "weekend days",
        };
        write!(f, "active {hours} on {} of {} {compared}", self.active_days, self.days)
    }
}

/// How likely an instance is used, and why that is thought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// 0..=1: the share of the days compared on which it was active. Counted, not calibrated.
    pub probability: f64,
    pub why: Why,
}

/// The forecast for the local clock hour that `hour_start` falls in.
pub fn forecast(profile: &HourProfile, rule: &Rule, hour_start: Timestamp) -> Result<Forecast, Abstain> {
    let local = local_hour(&profile.zone, hour_start);
    abstain(profile, rule, local.day)?;
    let tally = profile.tally(rule, local.day, local.hour);
    let compared = match (rule.split, is_weekend(local.day)) {
        (Split::None, _) => Compared::Days,
        (Split::WeekdayWeekend, false) => Compared::Weekdays,
        (Split::WeekdayWeekend, true) => Compared::WeekendDays,
    };
    let why =
        Why { active_days: tally.active_days, days: tally.days, compared, lookahead_h: rule.lookahead_h };
    Ok(Forecast { probability: f64::from(tally.active_days) / f64::from(tally.days.max(1)), why })
}

/// The highest forecast of the clock hours that `[from, from + within)` touches; the earliest of equals.
/// A span of nothing is the hour of `from`; a span over [`SPAN_H_MAX`] hours is cut there.
pub fn forecast_span(
    profile: &HourProfile,
    rule: &Rule,
    from: Timestamp,
    within: SignedDuration,
) -> Result<Forecast, Abstain> {
    let within = within.min(SignedDuration::from_hours(SPAN_H_MAX));
    let end = from.saturating_add(within).unwrap_or(Timestamp::MAX);
    let mut best = forecast(profile, rule, from)?;
    let mut at = next_hour_start(&profile.zone, from);
    while at < end {
        match forecast(profile, rule, at) {
            Ok(next) if next.probability > best.probability => best = next,
            Ok(_) => {}
            // The span runs past what the profile can speak of: what came before it stands.
            Err(_) => break,
        }
        at = next_hour_start(&profile.zone, at);
    }
    Ok(best)
}

fn abstain(profile: &HourProfile, rule: &Rule, day: i32) -> Result<(), Abstain> {
    if profile.first_day.is_none() {
        return Err(Abstain::NoHistory);
    }
    let days = profile.history_days();
    if days < i32::from(rule.min_history_days) {
        return Err(Abstain::TooShort { days: days as u16 });
    }
    let active_days = profile.active_days(rule.history_days);
    if active_days < rule.min_active_days {
        return Err(Abstain::TooQuiet { active_days });
    }
    match day - profile.as_of_day {
        ..0 => Err(Abstain::Past),
        0..=PROFILE_AGE_DAYS_MAX => Ok(()),
        days => Err(Abstain::Stale { days: u16::try_from(days).unwrap_or(u16::MAX) }),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{civil::Date, tz::TimeZone};

    use super::*;
    use crate::visits::Activity;

    /// Seen at 09:20 UTC on the given days before 2026-04-01, a Wednesday, and once sixty days before it.
    fn profile(days_before: &[i64]) -> HourProfile {
        let mut activity = Activity::default();
        for before in days_before.iter().chain(&[60]) {
            activity.insert(at("2026-04-01T09:20:00Z") - SignedDuration::from_hours(24 * before));
        }
        HourProfile::fit(&activity, &TimeZone::UTC, date("2026-04-01"), &Rule::default())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn the_probability_is_the_share_of_like_days() {
        // 1, 2, 5, 6, 7 days before are weekdays, 4 (Saturday) is not.
        let profile = profile(&[1, 2, 4, 5, 6, 7]);
        let nine = forecast(&profile, &Rule::default(), at("2026-04-01T09:00:00Z")).expect("speaks");
        assert_eq!(nine.why.to_string(), "active in this hour on 5 of 22 weekdays");
        assert!((nine.probability - 5.0 / 22.0).abs() < 1e-12);
        let saturday = forecast(&profile, &Rule::default(), at("2026-04-04T09:59:59Z")).expect("speaks");
        assert_eq!(saturday.why.to_string(), "active in this hour on 1 of 8 weekend days");
        let rule = Rule { split: Split::None, lookahead_h: 3, ..Rule::default() };
        let seven = forecast(&profile, &rule, at("2026-04-01T07:00:00Z")).expect("speaks");
        assert_eq!(seven.why.to_string(), "active in this hour or the 2 after it on 6 of 30 days");
        let six = forecast(&profile, &rule, at("2026-04-01T06:00:00Z")).expect("speaks");
        assert!(six.probability.abs() < 1e-12);
    }

    #[test]
    fn it_abstains_where_it_knows_nothing() {
        let rule = Rule::default();
        let now = at("2026-04-01T09:00:00Z");
        let empty = HourProfile::fit(&Activity::default(), &TimeZone::UTC, date("2026-04-01"), &rule);
        assert_eq!(forecast(&empty, &rule, now), Err(Abstain::NoHistory));
        let quiet = profile(&[1, 2, 3, 4]);
        assert_eq!(forecast(&quiet, &rule, now), Err(Abstain::TooQuiet { active_days: 4 }));
        let known = profile(&[1, 2, 3, 4, 5]);
        assert!(forecast(&known, &rule, now).is_ok());
        let patient = Rule { min_history_days: 61, ..rule.clone() };
        assert_eq!(forecast(&known, &patient, now), Err(Abstain::TooShort { days: 60 }));
        assert!(forecast(&known, &Rule { min_history_days: 60, ..rule.clone() }, now).is_ok());
        assert_eq!(forecast(&known, &rule, at("2026-03-31T09:00:00Z")), Err(Abstain::Past));
        assert!(forecast(&known, &rule, at("2026-04-15T09:00:00Z")).is_ok());
        assert_eq!(forecast(&known, &rule, at("2026-04-16T09:00:00Z")), Err(Abstain::Stale { days: 15 }));
    }

    #[test]
    fn a_span_takes_the_highest_hour_it_touches() {
        let profile = profile(&[1, 2, 5, 6, 7]);
        let rule = Rule::default();
        let span = |from: &str, mins| {
            forecast_span(&profile, &rule, at(from), SignedDuration::from_mins(mins))
                .expect("speaks")
                .why
                .active_days
        };
        assert_eq!(span("2026-04-01T07:30:00Z", 90), 0, "ends where 09:00 begins");
        assert_eq!(span("2026-04-01T07:30:00Z", 91), 5);
        assert_eq!(span("2026-04-01T09:59:00Z", 0), 5);
        assert_eq!(span("2026-04-01T10:00:00Z", 60), 0);
        assert_eq!(
            span("2026-04-15T10:00:00Z", 60 * 48),
            0,
            "what lies beyond the profile's age is left out"
        );
    }

    #[test]
    fn a_span_looks_a_week_ahead() {
        let profile = profile(&[1, 2, 5, 6, 7]);
        // From Saturday on: nine on Monday is 47 hours ahead.
        let monday = forecast_span(
            &profile,
            &Rule::default(),
            at("2026-04-04T10:00:00Z"),
            SignedDuration::from_hours(240),
        );
        assert_eq!(monday.expect("speaks").why.active_days, 5);
        let earlier = forecast_span(
            &profile,
            &Rule::default(),
            at("2026-04-04T10:00:00Z"),
            SignedDuration::from_hours(47),
        );
        assert_eq!(earlier.expect("speaks").why.active_days, 0);
    }

    #[test]
    fn why_nothing_is_said_has_a_code_and_words() {
        let all = [
            Abstain::NoHistory,
            Abstain::TooShort { days: 3 },
            Abstain::TooQuiet { active_days: 2 },
            Abstain::Stale { days: 15 },
            Abstain::Past,
        ];
        assert_eq!(all.map(Abstain::code), ["no_history", "too_short", "too_quiet", "stale", "past"]);
        assert_eq!(all[1].to_string(), "first seen only 3 days ago");
        assert_eq!(all[3].to_string(), "the profile is 15 days old");
    }
}
