//! Why an instance is not woken.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

use crate::model::Abstain;

/// An instance the plan leaves alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Omission {
    pub instance: InstanceId,
    pub reason: OmissionReason,
}

/// How many were left alone for reasons that most of a fleet has at all times. There is nothing to keep of each: the
/// next plan says the same of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub abstained: u64,
    pub unlikely: u64,
    pub below_threshold: u64,
    pub waits: u64,
    pub already_awake: u64,
    pub covered: u64,
}

impl Passed {
    /// Counts one, if its reason is of those that are counted only.
    pub fn count(&mut self, reason: &OmissionReason) -> bool {
        let count = match reason {
            OmissionReason::Abstained(_) => &mut self.abstained,
            OmissionReason::Unlikely => &mut self.unlikely,
            OmissionReason::BelowThreshold { .. } => &mut self.below_threshold,
            OmissionReason::Waits => &mut self.waits,
            OmissionReason::AlreadyAwake => &mut self.already_awake,
            OmissionReason::Covered => &mut self.covered,
            _ => return false,
        };
        *count += 1;
        true
    }

    pub fn add(&mut self, others: Self) {
        let Self { abstained, unlikely, below_threshold, waits, already_awake, covered } = others;
        self.abstained += abstained;
        self.unlikely += unlikely;
        self.below_threshold += below_threshold;
        self.waits += waits;
        self.already_awake += already_awake;
        self.covered += covered;
    }

    pub fn total(&self) -> u64 {
        self.by_code().into_iter().map(|(_, count)| count).sum()
    }

    /// The counts, each under [`OmissionReason::code`].
    pub fn by_code(&self) -> [(&'static str, u64); 6] {
        [
            (OmissionReason::Abstained(Abstain::NoHistory).code(), self.abstained),
            (OmissionReason::Unlikely.code(), self.unlikely),
            (OmissionReason::BelowThreshold { best: 0.0 }.code(), self.below_threshold),
            (OmissionReason::Waits.code(), self.waits),
            (OmissionReason::AlreadyAwake.code(), self.already_awake),
            (OmissionReason::Covered.code(), self.covered),
        ]
    }
}

/// Why it is left alone. Those from `Waits` on would have been woken otherwise.
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
    /// Likely enough, but a wake a quarter hour later is worth more.
    Waits,
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
    /// The policy's forecast wakes of the day (UTC) are planned, and this one was among the least likely.
    BudgetSpent {
        day: Date,
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
    pub fn code(&self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::CohortNotSelected => "cohort_not_selected",
            Self::NoProfile => "no_profile",
            Self::Abstained(_) => "abstained",
            Self::Unlikely => "unlikely",
            Self::BelowThreshold { .. } => "below_threshold",
            Self::Waits => "waits",
            Self::AlreadyAwake => "already_awake",
            Self::Covered => "covered",
            Self::QuietDate => "quiet_date",
            Self::TooLate { .. } => "too_late",
            Self::HeldOut(_) => "held_out",
            Self::NoHost => "no_host",
            Self::Paused => "paused",
            Self::FleetHourFull { .. } => "fleet_hour_full",
            Self::BudgetSpent { .. } => "budget_spent",
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
            Self::Waits => write!(f, "expected, but a quarter hour later is soon enough"),
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
            Self::BudgetSpent { day, wakes_max } => {
                write!(
                    f,
                    "budget spent: expected, but less likely than the {wakes_max} forecast wakes of {day}; who "
                )?;
                write!(f, "asks is woken all the same")
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
            OmissionReason::BudgetSpent { day: "2026-03-02".parse().unwrap(), wakes_max: 6 },
            OmissionReason::NoHost,
        ];
        for reason in reasons {
            let json = serde_json::to_value(&reason).expect("serializes");
            assert_eq!(json["code"], reason.code());
            assert_eq!(serde_json::from_value::<OmissionReason>(json).expect("comes back"), reason);
        }
    }

    #[test]
    fn each_reason_that_is_counted_only_has_a_count_of_its_own_and_counts_add_up() {
        let reasons = [
            OmissionReason::Abstained(Abstain::TooShort { days: 3 }),
            OmissionReason::Unlikely,
            OmissionReason::BelowThreshold { best: 0.2 },
            OmissionReason::Waits,
            OmissionReason::AlreadyAwake,
            OmissionReason::Covered,
        ];
        let mut sum = Passed::default();
        for (times, reason) in (1..).zip(&reasons) {
            let mut passed = Passed::default();
            assert!((0..times).all(|_| passed.count(reason)));
            let counted: Vec<_> = passed.by_code().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(reason.code(), times)]);
            sum.add(passed);
            sum.add(passed);
        }
        let counts: Vec<_> = (1..).zip(&reasons).map(|(times, reason)| (reason.code(), 2 * times)).collect();
        assert_eq!(sum.by_code().to_vec(), counts);
        assert_eq!(sum.total(), 42);
    }

    #[test]
    fn what_a_fleet_is_full_of_is_counted_only() {
        let mut passed = Passed::default();
        assert!(passed.count(&OmissionReason::BelowThreshold { best: 0.2 }));
        assert!(passed.count(&OmissionReason::Covered) && passed.count(&OmissionReason::Covered));
        assert!(!passed.count(&OmissionReason::Paused));
        assert_eq!(passed.total(), 3);
        assert!(passed.by_code().contains(&("covered", 2)) && passed.by_code().contains(&("unlikely", 0)));
    }

    #[test]
    fn reasons_are_words() {
        let below = OmissionReason::BelowThreshold { best: 0.126 };
        assert_eq!(below.to_string(), "not likely enough: 13 % in its best hour");
        let short = OmissionReason::Abstained(Abstain::TooShort { days: 3 });
        assert_eq!(short.to_string(), "no forecast: first seen only 3 days ago");
    }
}
