//! Why an instance is not woken.

use std::fmt;

use jiff::Timestamp;
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

use crate::model::Abstain;

/// An instance the plan leaves alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Omission {
    pub instance: InstanceId,
    pub reason: OmissionReason,
}

/// Why it is left alone. Those from `AlreadyAwake` on would have been woken otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", content = "detail", rename_all = "snake_case")]
pub enum OmissionReason {
    OptedOut,
    CohortNotSelected,
    NoProfile,
    Abstained(Abstain),
    /// Nowhere near the threshold at a first look, so that nothing more was computed.
    Unlikely,
    /// In no clock hour of the horizon likely enough.
    BelowThreshold {
        best: f64,
    },
    AlreadyAwake,
    Covered,
    QuietDate,
    /// The hour it is expected in would be half over before it served.
    TooLate {
        serve_at: Timestamp,
    },
    /// Says what would have been done, so that the effect of doing it can be measured.
    HeldOut(Box<HeldOutWake>),
    NoHost,
    Paused,
    /// More wakes were due in the hour than the policy allows, and this one was among the least likely.
    FleetHourFull {
        wakes_max: u32,
    },
}

/// The wake that was not made. Few reasons are this one: apart, it makes the others small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutWake {
    pub hour_at: Timestamp,
    pub due_at: Timestamp,
    pub serve_at: Timestamp,
    pub probability: f64,
}

impl OmissionReason {
    /// Whether there is anything to keep of it: instances that are not expected, or awake, are most of a fleet at all
    /// times, and the next plan says the same of them.
    pub fn is_noted(&self) -> bool {
        !matches!(self, Self::Unlikely | Self::BelowThreshold { .. } | Self::AlreadyAwake | Self::Covered)
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::CohortNotSelected => "cohort_not_selected",
            Self::NoProfile => "no_profile",
            Self::Abstained(_) => "abstained",
            Self::Unlikely => "unlikely",
            Self::BelowThreshold { .. } => "below_threshold",
            Self::AlreadyAwake => "already_awake",
            Self::Covered => "covered",
            Self::QuietDate => "quiet_date",
            Self::TooLate { .. } => "too_late",
            Self::HeldOut(_) => "held_out",
            Self::NoHost => "no_host",
            Self::Paused => "paused",
            Self::FleetHourFull { .. } => "fleet_hour_full",
        }
    }
}

impl fmt::Display for OmissionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptedOut => write!(f, "opted out of forecast wakes"),
            Self::CohortNotSelected => write!(f, "its cohort is not among those the policy selects"),
            Self::NoProfile => write!(f, "the model in service has no profile of it"),
            Self::Abstained(abstain) => write!(f, "no forecast: {abstain}"),
            Self::Unlikely => write!(f, "not expected now"),
            Self::BelowThreshold { best } => {
                write!(f, "not likely enough: {:.0} % in its best hour", best * 100.0)
            }
            Self::AlreadyAwake => write!(f, "awake already"),
            Self::Covered => write!(f, "an earlier wake covers it"),
            Self::QuietDate => write!(f, "expected, but on a quiet date"),
            Self::TooLate { serve_at } => {
                write!(f, "expected, but would serve only at {serve_at:.0}, with its hour half over")
            }
            Self::HeldOut(wake) => {
                let HeldOutWake { serve_at, probability, .. } = wake.as_ref();
                write!(f, "held out: would be woken for {serve_at:.0} ({:.0} %)", probability * 100.0)
            }
            Self::NoHost => write!(f, "expected, but no agent lists it"),
            Self::Paused => write!(f, "expected, but forecast wakes are paused"),
            Self::FleetHourFull { wakes_max } => {
                write!(f, "expected, but less likely than the {wakes_max} wakes an hour may hold")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_one_in_json() {
        let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let reasons = [
            OmissionReason::Abstained(Abstain::TooShort { days: 3 }),
            OmissionReason::BelowThreshold { best: 0.1 },
            OmissionReason::HeldOut(Box::new(HeldOutWake {
                hour_at: at,
                due_at: at,
                serve_at: at,
                probability: 0.5,
            })),
            OmissionReason::TooLate { serve_at: at },
            OmissionReason::FleetHourFull { wakes_max: 6 },
            OmissionReason::NoHost,
        ];
        for reason in reasons {
            let json = serde_json::to_value(&reason).expect("serializes");
            assert_eq!(json["code"], reason.code());
            assert_eq!(serde_json::from_value::<OmissionReason>(json).expect("comes back"), reason);
        }
    }

    #[test]
    fn reasons_are_words() {
        let below = OmissionReason::BelowThreshold { best: 0.126 };
        assert_eq!(below.to_string(), "not likely enough: 13 % in its best hour");
        let short = OmissionReason::Abstained(Abstain::TooShort { days: 3 });
        assert_eq!(short.to_string(), "no forecast: first seen only 3 days ago");
    }
}
