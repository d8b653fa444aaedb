//! How far the harm may reach: caps, a budget, hours of the week, and the ladder that widens it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::length::Length;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    pub max: Max,
    /// Harm that may be done; when one of it is spent, the run stops in any mode.
    #[serde(default)]
    pub budget: BTreeMap<String, f64>,
    /// Only outside a simulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    #[serde(default)]
    pub ladder: Vec<Rung>,
}

/// Kinds of harm a budget can name: wakes nobody used, wakes that failed, seconds people waited longer.
pub const HARMS: [&str; 3] = ["false_wakes", "failed_wakes", "user_wait_s"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Max {
    pub hosts: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    #[serde(default = "one")]
    pub concurrent_faults: u64,
    /// From the start of the first fault to the end of the last.
    pub duration: Length,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    pub tz: String,
    /// `Mon-Thu 09:00-15:00`.
    #[serde(default)]
    pub allow: Vec<String>,
    /// `2026-12-24`.
    #[serde(default)]
    pub deny_dates: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// Virtual time, the real code over links in memory.
    Sim,
    /// Real processes on loopback.
    Local,
    /// Real processes in containers on networks of their own.
    Container,
    /// The real installation; needs a person's approval.
    Live,
}

impl RunMode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Local => "local",
            Self::Container => "container",
            Self::Live => "live",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    pub rung: u64,
    pub mode: RunMode,
    pub scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requires>,
}

/// What a rung may hit of the targets the file selects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// More than 0, at most 1, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// An earlier rung ...
    pub rung: u64,
    /// ... that held this many times.
    pub held: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    Human,
}

fn one() -> u64 {
    1
}
