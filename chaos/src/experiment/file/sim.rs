//! How an experiment is simulated: tier, seeds, how long, and what a swarm may vary.

use serde::{Deserialize, Serialize};

use super::length::Length;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sim {
    pub tier: Tier,
    pub seeds: Seeds,
    /// Virtual time after which a run ends, whatever happens.
    pub horizon: Length,
    /// Step of the network tier.
    pub tick: Length,
    /// RFC 3339, with an offset.
    pub start: String,
    /// Each seed draws some of `noise`.
    pub swarm: bool,
    /// Share of the seeds that are run twice and compared byte for byte, 0 to 1.
    pub determinism_check: f64,
    pub shrink: Shrink,
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            tier: Tier::Logic,
            seeds: Seeds::default(),
            horizon: Length::h(6),
            tick: Length::ms(50),
            start: "2026-03-02T07:30:00+01:00".into(),
            swarm: false,
            determinism_check: 0.05,
            shrink: Shrink::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Paused time, links in memory.
    Logic,
    /// A simulated network that can lose and delay.
    Network,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seeds {
    Range(SeedRange),
    List(SeedList),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    pub from: u64,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedList {
    pub list: Vec<u64>,
}

impl Default for Seeds {
    fn default() -> Self {
        Self::Range(SeedRange { from: 0, count: 20 })
    }
}

impl Seeds {
    pub fn each(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::Range(range) => Box::new(range.from..range.from.saturating_add(range.count)),
            Self::List(seeds) => Box::new(seeds.list.iter().copied()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shrink {
    pub enabled: bool,
    /// Real time it may take.
    pub budget: Length,
    pub order: Vec<ShrinkStep>,
}

impl Default for Shrink {
    fn default() -> Self {
        use ShrinkStep::{DropFault, FewerHosts, FewerInstances, Shorten, Weaken};
        let order = vec![DropFault, Shorten, Weaken, FewerHosts, FewerInstances];
        Self { enabled: true, budget: Length::s(120), order }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShrinkStep {
    DropFault,
    Shorten,
    Weaken,
    FewerHosts,
    FewerInstances,
    DropWorkload,
}
