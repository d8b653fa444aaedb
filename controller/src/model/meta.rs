//! What is kept about a model beside its profiles, and whether it may take the place of the one in service.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{forecast::forecast, hours::HourProfile, rule::Rule, validate::Quality};

/// What a version decides by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Weights fitted to what happened, over profiles of stays.
    #[default]
    Fitted,
    /// The rule alone, over profiles of hours.
    Rule,
}

impl ModelKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Rule => "rule",
        }
    }
}

/// Where the weights of a fitted version come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// Fitted in this version's own training.
    Training,
    /// Those of an earlier version: what was fitted since was not better.
    Version { version: u64 },
    /// Those every Reveille comes with.
    Embedded,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training => write!(f, "fitted in this training"),
            Self::Version { version } => write!(f, "those of version {version}"),
            Self::Embedded => write!(f, "those Reveille comes with"),
        }
    }
}

/// What a model was fitted on, in numbers that can be compared with those of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Instances with a sighting on a complete day.
    pub instances: u64,
    /// Of them, those the model says something about.
    pub instances_forecast: u64,
    /// Days with activity, over all instances and the days looked back upon.
    pub active_days: u64,
    /// Where the weights come from; `None` for the rule.
    pub origin: Option<Origin>,
    /// How good the weights are that this training fitted, out of time, whether or not they serve; `None` where
    /// nothing was fitted.
    pub quality: Option<Quality>,
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

/// Why a model, or its weights, may not go into service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// No instance was seen at all.
    NoData,
    /// Less than half the instances of the model in service.
    FewerInstances {
        candidate: u64,
        current: u64,
    },
    /// Log-losses in nats, on the same days.
    NoBetterThanConstant {
        log_loss: f64,
        log_loss_constant: f64,
    },
    /// Log-losses in nats, on the same days.
    WorseLogLoss {
        log_loss: f64,
        log_loss_in_service: f64,
    },
    Miscalibrated {
        calibration_error: f64,
    },
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
            Self::NoBetterThanConstant { log_loss, log_loss_constant } => {
                write!(
                    f,
                    "on days it had not seen it has a log-loss of {log_loss:.4}, where saying the same of \
                     everybody has {log_loss_constant:.4}"
                )
            }
            Self::WorseLogLoss { log_loss, log_loss_in_service } => {
                write!(
                    f,
                    "on days it had not seen it has a log-loss of {log_loss:.4}, where the weights in service have \
                     {log_loss_in_service:.4}, over {:.0} % less",
                    100.0 * LOG_LOSS_WORSE_SHARE_MAX
                )
            }
            Self::Miscalibrated { calibration_error } => {
                write!(
                    f,
                    "on days it had not seen its probabilities are off by {calibration_error:.3} on average, more \
                     than {CALIBRATION_ERROR_MAX}"
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

/// How much worse the log-loss may be than that of the weights in service: chance alone moves it so far.
pub const LOG_LOSS_WORSE_SHARE_MAX: f64 = 0.01;

/// How far probabilities may be off on average.
pub const CALIBRATION_ERROR_MAX: f64 = 0.05;

/// Refuses weights that say nothing about the days after those they were fitted on, less than the weights in service
/// say, or with probabilities that are none.
pub fn validate_weights(quality: &Quality) -> Result<(), Rejection> {
    let Quality { log_loss, log_loss_constant, log_loss_in_service, calibration_error, .. } = *quality;
    if log_loss.is_nan() || log_loss >= log_loss_constant {
        return Err(Rejection::NoBetterThanConstant { log_loss, log_loss_constant });
    }
    if log_loss > log_loss_in_service * (1.0 + LOG_LOSS_WORSE_SHARE_MAX) {
        return Err(Rejection::WorseLogLoss { log_loss, log_loss_in_service });
    }
    if calibration_error > CALIBRATION_ERROR_MAX {
        return Err(Rejection::Miscalibrated { calibration_error });
    }
    Ok(())
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
    fn weights_are_refused_for_what_they_say_of_days_they_have_not_seen() {
        let good = Quality {
            log_loss: 0.20,
            log_loss_in_service: 0.20,
            log_loss_constant: 0.30,
            calibration_error: 0.02,
            ..Quality::default()
        };
        assert_eq!(validate_weights(&good), Ok(()));
        assert_eq!(validate_weights(&Quality { log_loss: 0.2019, ..good }), Ok(()), "within a hundredth");
        let refused = |quality: Quality| validate_weights(&quality).expect_err("refused").to_string();
        let worse = refused(Quality { log_loss: 0.21, ..good });
        assert!(worse.contains("0.2100") && worse.contains("in service have 0.2000"), "{worse}");
        let constant = refused(Quality { log_loss: 0.31, log_loss_in_service: 0.4, ..good });
        assert!(constant.contains("everybody has 0.3000"), "{constant}");
        assert!(refused(Quality { log_loss: f64::NAN, ..good }).contains("NaN"));
        let off = refused(Quality { calibration_error: 0.061, ..good });
        assert!(off.contains("off by 0.061"), "{off}");
    }

    #[test]
    fn figures_of_an_older_reveille_are_read() {
        let old = r#"{"instances":3,"instances_forecast":2,"active_days":9}"#;
        let read: Metrics = serde_json::from_str(old).expect("readable");
        assert_eq!((read.instances, read.origin, read.quality), (3, None, None));
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
        let expected = Metrics { instances: 2, instances_forecast: 1, active_days: 33, ..Metrics::default() };
        assert_eq!(counted, expected);
    }

    #[test]
    fn weights_may_be_as_bad_as_a_hundredth_worse_and_a_twentieth_off() {
        let bound = Quality {
            log_loss: 0.25 * 1.01,
            log_loss_in_service: 0.25,
            log_loss_constant: 0.3,
            calibration_error: 0.05,
            ..Quality::default()
        };
        assert_eq!(validate_weights(&bound), Ok(()));
        let same = Quality { log_loss: 0.3, log_loss_in_service: 0.3, ..bound };
        assert!(matches!(validate_weights(&same), Err(Rejection::NoBetterThanConstant { .. })));
        let far_better = Quality { log_loss: 0.1, calibration_error: 0.0, ..bound };
        assert_eq!(validate_weights(&far_better), Ok(()));
    }

    #[test]
    fn where_weights_come_from_and_what_decides_are_told() {
        let told = [Origin::Training, Origin::Version { version: 7 }, Origin::Embedded]
            .map(|origin| origin.to_string());
        assert_eq!(told, ["fitted in this training", "those of version 7", "those Reveille comes with"]);
        assert_eq!((ModelKind::Fitted.as_str(), ModelKind::Rule.as_str()), ("fitted", "rule"));
        assert!(Rejection::NoData.to_string().contains("no instance was seen"));
    }
}
