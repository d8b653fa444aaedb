//! A fault as the file has it: what, whom, when, under which lease, and how it is proved.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{comparison::Op, length::Length};
use crate::experiment::catalogue::{FaultKind, Refused};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub id: String,
    /// A name of the catalogue, such as `endpoint.slow_wake`.
    pub kind: String,
    /// A name of `targets`, or `any-KIND`: one of that kind, drawn from the seed.
    pub target: String,
    #[serde(default)]
    pub params: Map<String, Value>,
    pub schedule: Schedule,
    /// How likely it bites at each opportunity, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Not renewed for this long, the injection point ends the fault by itself.
    pub lease: Length,
    pub proof: Proof,
}

impl Fault {
    /// What it does, with typed parameters; cannot fail for a file that was read without a problem.
    pub fn what(&self) -> Result<FaultKind, Refused> {
        FaultKind::read(&self.kind, &self.params)
    }
}

/// `at` counts from the start of the method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    #[serde(default)]
    pub at: Length,
    pub r#for: Length,
    /// Grows from nothing to its full strength in this time.
    #[serde(default)]
    pub ramp: Length,
    #[serde(default = "once")]
    pub repeat: u64,
    /// From start to start; needed with `repeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Length>,
    /// Each start is late by up to this much, drawn from the seed.
    #[serde(default)]
    pub jitter: Length,
    /// Starts at the first event of this name after `at` instead of at `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_event: Option<String>,
}

impl Schedule {
    /// Start and end of each time it is on, without jitter.
    pub fn spans(&self) -> impl Iterator<Item = (Length, Length)> {
        let every = self.every.unwrap_or_default();
        (0..self.repeat).map(move |turn| {
            let from = self.at.plus(every.times(turn));
            (from, from.plus(self.r#for))
        })
    }

    /// When the last turn is over at the latest.
    pub fn ends(&self) -> Length {
        let turns = self.every.unwrap_or_default().times(self.repeat.saturating_sub(1));
        self.at.plus(turns).plus(self.jitter).plus(self.r#for)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub hits: Hits,
    /// From the fault's start; without it, while the fault is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hits {
    pub op: Op,
    pub value: f64,
}

impl Proof {
    pub fn proven(&self, hits: u64) -> bool {
        self.hits.op.holds(hits as f64, self.hits.value)
    }
}

/// A fault that a swarm may add to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    pub kind: String,
    pub target: String,
    #[serde(default)]
    pub params: Map<String, Value>,
    /// How likely a seed draws it, 0 to 1.
    pub probability: f64,
}

impl Noise {
    /// As [`Fault::what`].
    pub fn what(&self) -> Result<FaultKind, Refused> {
        FaultKind::read(&self.kind, &self.params)
    }
}

fn always() -> f64 {
    1.0
}

fn once() -> u64 {
    1
}
