//! The world an experiment is set in: how many hosts and instances, which limits, who comes when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::length::Length;

/// Whatever the file leaves out is what a small installation on a Monday morning has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct World {
    pub fleet: Fleet,
    pub controller: ControllerKnobs,
    pub workload: Workload,
    pub logs: Logs,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    pub hosts: u64,
    pub instances_per_host: u64,
    pub cores: u64,
    /// Share of a host's CPU that everything but boots uses on average, 0 to 0.6; in spikes it uses up to 0.15 more.
    pub background: f64,
    pub boot: Boot,
    /// Name, value and the share of the instances that has it: `{tier: {vip: 0.05}}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            hosts: 4,
            instances_per_host: 60,
            cores: 8,
            background: 0.1,
            boot: Boot::default(),
            labels: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boot {
    pub p50: Length,
    pub p95: Length,
    /// Share of the host's CPU that one boot takes, 0 to 1.
    pub cpu_per_boot: f64,
}

impl Default for Boot {
    fn default() -> Self {
        Self { p50: Length::s(210), p95: Length::s(340), cpu_per_boot: 0.11 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControllerKnobs {
    pub replicas: u64,
    /// Most wakes at once on a host.
    pub per_host_limit: u64,
    /// The ceiling, as a share of the host's CPU.
    pub cpu_limit: f64,
    pub poll: Length,
    /// From the start of a wake until it counts as timed out.
    pub deadline: Length,
    /// How old a preflight may be at the call.
    pub preflight_ttl: Length,
}

impl Default for ControllerKnobs {
    fn default() -> Self {
        Self {
            replicas: 1,
            per_host_limit: 4,
            cpu_limit: 0.70,
            poll: Length::s(10),
            deadline: Length::m(15),
            preflight_ttl: Length::s(30),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    pub profile: Profile,
    /// Wakes by forecast in the run.
    pub predicted: u64,
    /// People who ask themselves in the run.
    pub manual: u64,
    /// A visit within this time makes a wake used.
    pub returns_within: Length,
    /// Share of the forecast wakes whose user comes, 0 to 1.
    pub true_positive: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            profile: Profile::MorningPeak,
            predicted: 90,
            manual: 12,
            returns_within: Length::h(3),
            true_positive: 0.6,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Due times spread around eight o'clock.
    MorningPeak,
    /// All due within one minute.
    Rush,
    /// Evenly over the run.
    Steady,
    /// A handful, as at night.
    Quiet,
}

/// The history the controller has when the run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// Sources the lines come from, such as load balancers.
    pub feeds: u64,
    pub days: u64,
}

impl Default for Logs {
    fn default() -> Self {
        Self { feeds: 1, days: 42 }
    }
}
