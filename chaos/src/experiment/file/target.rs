//! Who is hit: a kind of thing, how many of them, and who is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    Host,
    Agent,
    Instance,
    /// Between the agent of a host and the controller.
    Link,
    /// A wake endpoint, for everybody who calls it.
    Endpoint,
    Controller,
    Store,
    /// The clock of a host or of a controller.
    Clock,
    /// A source of access logs.
    Feed,
    Operator,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub kind: TargetKind,
    pub select: Select,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Exclude>,
    #[serde(default)]
    pub on_empty: OnEmpty,
}

/// One choice for each noun; a noun that is not named is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Choose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Choose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Choose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<Choose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<Choose>,
}

impl Select {
    /// The nouns that are named, with their choice.
    pub fn nouns(&self) -> impl Iterator<Item = (&'static str, &Choose)> {
        let all = [
            ("host", &self.host),
            ("instances", &self.instances),
            ("endpoint", &self.endpoint),
            ("controller", &self.controller),
            ("feed", &self.feed),
        ];
        all.into_iter().filter_map(|(noun, choose)| choose.as_ref().map(|choose| (noun, choose)))
    }
}

impl TargetKind {
    /// The nouns that narrow a target of this kind.
    pub fn nouns(self) -> &'static [&'static str] {
        match self {
            Self::Host | Self::Agent | Self::Link => &["host"],
            Self::Instance => &["host", "instances"],
            Self::Endpoint => &["endpoint"],
            Self::Controller => &["controller"],
            Self::Clock => &["host", "controller"],
            Self::Feed => &["feed"],
            Self::Store | Self::Operator => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    pub mode: Mode,
    /// A count for `fixed`, 0 to 100 for the two in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `fixed` may name them instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    One,
    All,
    Fixed,
    /// Rounded up, so that a share that is not zero hits at least one.
    Percent,
    /// A share drawn from the seed, at most the value.
    RandomMaxPercent,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Instances with any of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    #[default]
    Fail,
    Skip,
}
