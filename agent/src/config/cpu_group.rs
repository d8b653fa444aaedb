//! Whether starting instances are capped, and how closely they are looked after.

use std::path::PathBuf;

use serde::Deserialize;

/// Whether instances of the `process` driver run in a capped CPU group while they start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CpuGroup {
    pub mode: CpuGroupMode,
    /// Control group below which they are made, as `/proc/self/cgroup` writes it. Default: the agent's own.
    pub base: Option<PathBuf>,
    /// Between two looks at what the host has left for them.
    pub interval_ms: u64,
}

/// What to do where there can be no such group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuGroupMode {
    /// Start without.
    #[default]
    Auto,
    /// Never use one.
    Off,
    /// Do not run.
    Required,
}

impl Default for CpuGroup {
    fn default() -> Self {
        Self { mode: CpuGroupMode::Auto, base: None, interval_ms: 250 }
    }
}
