//! The compiled configuration: cheap to clone, shared by everything that reads lines.

use std::sync::Arc;

use super::{config::LogsConfig, error::LogsError, extract::Finder, format::Parser, patterns::Patterns};

/// The compiled `[logs]` section. Clones share it.
#[derive(Debug, Clone)]
pub struct Miner(Arc<Compiled>);

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) finder: Finder,
    pub(super) patterns: Patterns,
    pub(super) instances_max: usize,
    pub(super) samples_max: usize,
}

impl Miner {
    /// Compiles every pattern, and every source's template and mapping; an error names the key.
    pub fn new(config: &LogsConfig) -> Result<Self, LogsError> {
        for (n, source) in config.sources.iter().enumerate() {
            Parser::new(source, &format!("logs.sources[{n}]"))?;
        }
        if config.extract.instances_max == 0 {
            return Err(LogsError::setting("logs.extract.instances_max", "is 0"));
        }
        Ok(Self(Arc::new(Compiled {
            finder: Finder::new(&config.extract)?,
            patterns: Patterns::new(config)?,
            instances_max: config.extract.instances_max,
            samples_max: config.reject_samples_max,
        })))
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.0
    }
}
