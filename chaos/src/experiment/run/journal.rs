//! What a run leaves: the journal of Chaos Toolkit, and under `reveille` what that format has no place for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Graded, Spans, Tripped};
use crate::{
    experiment::{
        Verdict,
        file::{Activity, Experiment},
    },
    fault::FaultProof,
    oracle::Checked,
};

/// Superset of Chaos Toolkit's journal: its fields have their meaning there.
#[derive(Debug, Clone, Serialize)]
pub struct Journal {
    #[serde(rename = "chaoslib-version")]
    pub chaoslib_version: &'static str,
    pub platform: String,
    pub node: String,
    pub experiment: Experiment,
    pub start: Timestamp,
    /// `completed`, or `failed` where the steady state was not met before the method; `aborted` by a guard.
    pub status: &'static str,
    /// The steady state was met before the method and not after it.
    pub deviated: bool,
    pub steady_states: SteadyStates,
    pub run: Vec<Step>,
    pub rollbacks: Vec<Step>,
    pub end: Timestamp,
    /// Real seconds.
    pub duration: f64,
    pub reveille: Ours,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct SteadyStates {
    pub before: Option<SteadyState>,
    pub after: Option<SteadyState>,
    pub during: Vec<SteadyState>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct SteadyState {
    pub steady_state_met: bool,
    pub probes: Vec<Step>,
}

/// One activity that was carried out.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub activity: Activity,
    pub output: Value,
    /// `succeeded`, or `failed` where it could not be carried out.
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance_met: Option<bool>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub duration: f64,
}

/// What is ours.
#[derive(Debug, Clone, Serialize)]
pub struct Ours {
    pub id: String,
    pub mode: &'static str,
    pub seed: u64,
    /// Of the ladder.
    pub rung: u64,
    pub verdict: Verdict,
    /// In words, everything that speaks against it.
    pub why: Vec<String>,
    pub plan_sha256: String,
    pub history_sha256: String,
    pub spans: Spans,
    pub predictions: Vec<Graded>,
    pub confidence: f64,
    /// Of the hypothesis as a whole; `None` where it is not known whether it held.
    pub brier: Option<f64>,
    pub invariants: Vec<Checked>,
    /// Under attack, and not judged in this mode.
    pub not_judged: Vec<String>,
    pub faults: Vec<FaultProof>,
    pub guard: Option<Tripped>,
    /// `None` for what cannot be told yet.
    pub coverage: BTreeMap<String, Option<u64>>,
    pub simulated_s: f64,
    /// The command that does it again.
    pub replay: String,
}
