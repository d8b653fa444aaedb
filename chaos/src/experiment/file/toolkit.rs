//! The open format of Chaos Toolkit, as far as an experiment may use it: providers are `http` and `process` only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::extension::Extension;

/// A whole experiment file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    pub title: String,
    pub description: String,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub contributions: BTreeMap<String, Contribution>,
    /// Values, or where the toolkit finds them (`{type: env, key: .., default: ..}`).
    #[serde(default)]
    pub configuration: BTreeMap<String, Value>,
    #[serde(rename = "steady-state-hypothesis")]
    pub steady_state: SteadyState,
    pub method: Vec<Activity>,
    #[serde(default)]
    pub rollbacks: Vec<Activity>,
    #[serde(default)]
    pub runtime: Runtime,
    /// Exactly one is ours, see [`Experiment::reveille`]; others pass through.
    pub extensions: Vec<AnyExtension>,
}

impl Experiment {
    /// Our extension. Every experiment that was read has one.
    pub fn reveille(&self) -> &Extension {
        let ours = self.extensions.iter().find_map(|extension| match extension {
            AnyExtension::Reveille(ours) => Some(ours),
            AnyExtension::Other(_) => None,
        });
        ours.expect("reading refuses a file without the extension")
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnyExtension {
    Reveille(Box<Extension>),
    Other(Map<String, Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contribution {
    High,
    Medium,
    Low,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteadyState {
    pub title: String,
    pub probes: Vec<Activity>,
}

/// A probe or an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    pub name: String,
    pub r#type: ActivityType,
    /// Probes of the steady state have one; see Chaos Toolkit for its forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Value>,
    pub provider: Provider,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses: Option<Pauses>,
    #[serde(default)]
    pub background: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityType {
    Probe,
    Action,
}

/// Seconds before and after an activity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pauses {
    pub before: f64,
    pub after: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Provider {
    Http {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Value>,
        /// Seconds, or `[connect, read]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_status: Option<u16>,
    },
    Process {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Value>,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    pub hypothesis: HypothesisRuntime,
    pub rollbacks: RollbackRuntime,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HypothesisRuntime {
    pub strategy: HypothesisStrategy,
    /// Seconds from one look to the next while the method runs.
    pub frequency: f64,
    pub fail_fast: bool,
}

impl Default for HypothesisRuntime {
    fn default() -> Self {
        Self { strategy: HypothesisStrategy::Default, frequency: 1.0, fail_fast: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HypothesisStrategy {
    Default,
    BeforeMethodOnly,
    AfterMethodOnly,
    DuringMethodOnly,
    Continuously,
    Skip,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackRuntime {
    pub strategy: RollbackStrategy,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackStrategy {
    #[default]
    Default,
    Always,
    Never,
    Deviated,
}
