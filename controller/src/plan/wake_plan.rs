//! An immutable plan: every candidate is in it once, to be woken or left alone.

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId};
use serde::{Deserialize, Serialize};

use super::{Omission, Passed};
use crate::policy::Mode;

/// A wake that is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedWake {
    pub instance: InstanceId,
    pub host: HostId,
    /// When it is to start: a lead time before `serve_at`, or earlier where its host has more to start than it can at once;
    /// not before the plan was made, and not before the instance is asleep.
    pub due_at: Timestamp,
    /// When it is to serve: the start of the hour its user is expected in, or as soon as can be after it.
    pub serve_at: Timestamp,
    /// When the clock hour began or begins that its user is expected in. The same in every plan that means this
    /// wake, where `due_at` and `serve_at` of an hour that has begun move on with the time of planning.
    pub hour_at: Timestamp,
    /// Not to be started after this. A wake started then would serve as the hours that were forecast end; later
    /// ones say nothing about it, and a plan of their own.
    pub expires_at: Timestamp,
    pub probability: f64,
    /// Hours it is expected to be awake without its user; `None` where the model does not say.
    pub idle_h: Option<f64>,
    /// Seconds of waiting it is expected to spare its user; `None` where the model does not say.
    pub saved_s: Option<f64>,
    /// In words: "active in this hour on 9 of 21 weekdays".
    pub why: String,
}

/// What is to be done with each candidate, as decided at `made_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WakePlan {
    pub made_at: Timestamp,
    pub horizon_end: Timestamp,
    /// In `ForecastOnly` the wakes are kept and scored but not carried out.
    pub mode: Mode,
    pub model_version: u64,
    /// Of the instance-days, 0..=0.5; what the draw of this plan was made with.
    pub hold_out_share: f64,
    /// In the order of the candidates.
    pub wakes: Vec<PlannedWake>,
    /// Without those that are counted only.
    pub omissions: Vec<Omission>,
    pub passed: Passed,
}

impl WakePlan {
    /// Candidates left alone.
    pub fn left_out(&self) -> u64 {
        self.omissions.len() as u64 + self.passed.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::OmissionReason;

    #[test]
    fn left_out_are_those_it_names_and_those_it_only_counts() {
        let omission =
            Omission { instance: InstanceId::new("dev1").expect("an id"), reason: OmissionReason::Paused };
        let plan = WakePlan {
            made_at: Timestamp::UNIX_EPOCH,
            horizon_end: Timestamp::UNIX_EPOCH,
            mode: Mode::Act,
            model_version: 1,
            hold_out_share: 0.0,
            wakes: Vec::new(),
            omissions: vec![omission; 3],
            passed: Passed { unlikely: 40, waits: 2, ..Passed::default() },
        };
        assert_eq!(plan.left_out(), 45);
    }
}
