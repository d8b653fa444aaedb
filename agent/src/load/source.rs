//! The seam through which load comes in.

use std::{io, path::PathBuf};

use super::Pressures;

/// Where samples come from: the kernel, or the world of the proving ground.
pub trait Source: Send {
    /// Load since the previous call.
    fn sample(&mut self) -> Result<Sample, LoadError>;
}

/// One measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Share of `cores` in use, 0-100; smoothed in a reading.
    pub cpu_percent: f64,
    /// The same since the previous measurement only. A source need not say it: the sampler does.
    pub cpu_percent_now: f64,
    pub cores: f64,
    /// Absent where the kernel has none.
    pub pressures: Option<Pressures>,
}

/// A load that could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to understand {}: {problem}", path.display())]
    Parse { path: PathBuf, problem: String },
    /// The kernel's counters have hardly moved since the previous call.
    #[error("failed to measure: too little time has passed on the kernel's counters")]
    TooSoon,
    /// No number, or more than any: it would stay in every average made with it.
    #[error("failed to measure: the CPU in use came out as {0} %")]
    NoNumber(f64),
}
