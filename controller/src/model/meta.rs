//! What is kept about a fitted model, and whether it may take the place of the one in service.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{forecast::forecast, hours::HourProfile, rule::Rule};

/// What a model was fitted on, in numbers that can be compared with those of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Instances with a sighting on a complete day.
    pub instances: u64,
    /// Of them, those the model says something about.
    pub instances_forecast: u64,
    /// Days with activity, over all instances and the days looked back upon.
    pub active_days: u64,
}

impl Metrics {
    /// Counts one fitted profile.
    pub fn count(&mut self, profile: &HourProfile, rule: &Rule) {
        if profile.history_days() == 0 {
            return;
        }
        let first_noon_s = i64::from(profile.as_of_day) * 86_400 + 43_200;
        let first_noon = Timestamp::from_second(first_noon_s).ok();
        let speaks = first_noon.is_some_and(|noon| forecast(profile, rule, noon).is_ok());
        self.instances += 1;
        self.instances_forecast += u64::from(speaks);
        self.active_days += u64::from(profile.active_days(rule.history_days));
    }
}

/// A model as it is kept: profiles stand beside it, under its version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMeta {
    pub version: u64,
    pub trained_at: Timestamp,
    /// First and last sighting used.
    pub data_from: Timestamp,
    pub data_to: Timestamp,
    /// Profiles kept under this version.
    pub instances: u64,
    pub rule: Rule,
    pub metrics: Metrics,
}

/// Why a model may not go into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// No instance was seen at all.
    NoData,
    /// Less than half the instances of the model in service.
    FewerInstances { candidate: u64, current: u64 },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => write!(f, "it was fitted on no data: no instance was seen on a complete day"),
            Self::FewerInstances { candidate, current } => {
                write!(
                    f,
                    "it knows {candidate} instances where the model in service knows {current}, less than half"
                )
            }
        }
    }
}

impl std::error::Error for Rejection {}

/// Refuses a model fitted on nothing, or on less than half the instances of the one in service: a log that could
/// not be read is more likely than a fleet that halved.
pub fn validate(candidate: &Metrics, current: Option<&Metrics>) -> Result<(), Rejection> {
    if candidate.instances == 0 {
        return Err(Rejection::NoData);
    }
    match current {
        Some(current) if candidate.instances * 2 < current.instances => {
            Err(Rejection::FewerInstances { candidate: candidate.instances, current: current.instances })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, tz::TimeZone};

    use super::*;
    use crate::visits::Activity;

    fn metrics(instances: u64) -> Metrics {
        Metrics { instances, ..Metrics::default() }
    }

    #[test]
    fn a_model_of_nothing_is_refused() {
        assert_eq!(validate(&metrics(0), None), Err(Rejection::NoData));
        assert_eq!(validate(&metrics(0), Some(&metrics(0))), Err(Rejection::NoData));
        assert_eq!(validate(&metrics(1), None), Ok(()));
    }

    #[test]
    fn a_model_that_lost_more_than_half_is_refused() {
        assert_eq!(validate(&metrics(50), Some(&metrics(100))), Ok(()));
        let rejection = validate(&metrics(49), Some(&metrics(100))).expect_err("less than half");
        assert_eq!(rejection, Rejection::FewerInstances { candidate: 49, current: 100 });
        assert!(rejection.to_string().contains("49 instances"), "{rejection}");
    }

    #[test]
    fn profiles_are_counted_by_whether_they_speak() {
        let rule = Rule::default();
        let as_of: jiff::civil::Date = "2026-04-01".parse().unwrap();
        let midnight: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        let mut counted = Metrics::default();
        for days in [0, 3, 40] {
            let mut activity = Activity::default();
            for back in 1..=days {
                activity.insert(midnight - SignedDuration::from_hours(24 * back));
            }
            let profile = HourProfile::fit(&activity, &TimeZone::UTC, as_of, &rule);
            counted.count(&profile, &rule);
        }
        assert_eq!(counted, Metrics { instances: 2, instances_forecast: 1, active_days: 33 });
    }
}
