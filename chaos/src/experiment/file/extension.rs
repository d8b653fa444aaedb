//! The `reveille.chaos/v1` extension: all that Chaos Toolkit's own format cannot say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    comparison::Expression,
    fault::{Fault, Noise},
    hypothesis::Hypothesis,
    length::Length,
    radius::{BlastRadius, RunMode},
    sim::{Sim, Tier},
    target::Target,
    world::World,
};

/// The name the extension has in the file.
pub const NAME: &str = "reveille.chaos/v1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    pub name: String,
    /// `EP-03`.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    pub layer: Layer,
    pub quadrant: Quadrant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<MeaningTier>,
    #[serde(default)]
    pub owner: String,
    #[serde(default)]
    pub links: Vec<String>,
    pub hypothesis: Hypothesis,
    pub modes: Vec<RunMode>,
    #[serde(default)]
    pub sim: Sim,
    #[serde(default)]
    pub world: World,
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    pub faults: Vec<Fault>,
    #[serde(default)]
    pub noise: Vec<Noise>,
    pub blast_radius: BlastRadius,
    pub guards: Vec<Guard>,
    /// Those under attack; all that a history can be judged by are judged all the same.
    pub invariants: Vec<String>,
    #[serde(default)]
    pub control: Control,
    pub recovery: Recovery,
    #[serde(default)]
    pub coverage: Coverage,
    pub verdict: VerdictPolicy,
    #[serde(default)]
    pub report: ReportSpec,
    #[serde(default)]
    pub provenance: Provenance,
}

impl Extension {
    /// As the file says it, or what the smallest of its modes gives.
    pub fn tier(&self) -> MeaningTier {
        let network = self.sim.tier == Tier::Network;
        self.tier.unwrap_or(match self.modes.iter().min() {
            Some(RunMode::Sim) | None if network => MeaningTier::T2,
            Some(RunMode::Sim) | None => MeaningTier::T1,
            Some(RunMode::Local) => MeaningTier::T3,
            Some(RunMode::Container) => MeaningTier::T4,
            Some(RunMode::Live) => MeaningTier::T5,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRef {
    /// `endpoint.slow_wake`.
    pub r#ref: String,
    pub version: u64,
    /// Declarations in a template, values in what was expanded from one.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    Endpoint,
    Agent,
    Link,
    Controller,
    Store,
    Clock,
    Host,
    Data,
    Operator,
}

/// Claimed before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quadrant {
    KnownKnown,
    KnownUnknown,
    UnknownKnown,
    UnknownUnknown,
}

impl Quadrant {
    /// As tables have it: KK, KU, UK, UU.
    pub fn short(self) -> &'static str {
        match self {
            Self::KnownKnown => "KK",
            Self::KnownUnknown => "KU",
            Self::UnknownKnown => "UK",
            Self::UnknownUnknown => "UU",
        }
    }
}

/// The smallest tier in which the whole hypothesis is meaningful; smaller ones only rehearse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MeaningTier {
    /// Simulated, links in memory.
    T1,
    /// Simulated with a network.
    T2,
    /// Real processes and sockets.
    T3,
    /// Containers.
    T4,
    /// The real installation.
    T5,
}

/// Independent of the hypothesis: looked at by the harness and at the injection points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    pub id: String,
    pub expr: Expression,
    pub r#for: Length,
    pub r#do: GuardAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardAction {
    Abort,
    Pause,
    Halve,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    pub kind: ControlKind,
    /// Smaller differences count as none, by metric.
    #[serde(default)]
    pub min_effect: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlKind {
    #[default]
    None,
    /// The same seed without the fault.
    PairedSeed,
    SplitHost,
    BeforeAfter,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// From the end of the last fault until the steady state is met again.
    pub deadline: Length,
    pub steady_state: SteadyStateAfter,
    pub residue: Residue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteadyStateAfter {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residue {
    None,
    Report,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Each must have been seen at least once over all seeds, else nothing is proved.
    #[serde(default)]
    pub sometimes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictPolicy {
    #[serde(default)]
    pub on_unproven_fault: Unproven,
    #[serde(default)]
    pub on_control_failed: Unproven,
    #[serde(default)]
    pub flake_policy: FlakePolicy,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    #[default]
    Inconclusive,
    Error,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlakePolicy {
    #[default]
    NeverRetry,
    RetryOnceAndReport,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportSpec {
    #[serde(default)]
    pub formats: Vec<ReportFormat>,
    #[serde(default)]
    pub attach: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportFormat {
    ReveilleJson,
    CtkJournal,
    Junit,
    Sarif,
    Markdown,
    Html,
    Otel,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    #[serde(default)]
    pub author: Author,
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub prompt_sha256: Option<String>,
    #[serde(default)]
    pub approved_by: Option<String>,
    #[serde(default)]
    pub approved_sha256: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Author {
    #[default]
    #[serde(rename = "human")]
    Human,
    #[serde(rename = "model")]
    Model,
    #[serde(rename = "model+human")]
    ModelAndHuman,
}
