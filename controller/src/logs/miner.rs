//! The compiled configuration: cheap to clone, shared by everything that reads lines.

use std::sync::Arc;

use super::{
    config::{LogsConfig, SourceConfig},
    error::LogsError,
    extract::Finder,
    format::Parser,
    input,
    patterns::Patterns,
};

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
            check(source, &format!("logs.sources[{n}]"))?;
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

fn check(source: &SourceConfig, key: &str) -> Result<(), LogsError> {
    if source.path.is_empty() {
        return Err(LogsError::setting(format!("{key}.path"), "is empty"));
    }
    if source.follow && !input::is_one_file(source) {
        let problem = format!("needs one file, not {:?}", source.path);
        return Err(LogsError::setting(format!("{key}.follow"), problem));
    }
    Parser::new(source, key).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_checked_and_the_bad_key_named() {
        for (source, key) in [
            ("path = \"\"", "logs.sources[1].path"),
            ("path = \"-\"\nfollow = true", "logs.sources[1].follow"),
            ("path = \"*.log\"\nfollow = true", "logs.sources[1].follow"),
            ("path = \"a\"\nformat = \"f5\"\ntemplate = \"$HTTP_URI\"", "logs.sources[1].template"),
            ("path = \"a\"\nformat = \"json\"\nfields = { time = \"\" }", "logs.sources[1].fields.time"),
        ] {
            let text = format!("[[sources]]\npath = \"a\"\nfollow = true\n[[sources]]\n{source}");
            let error = Miner::new(&toml::from_str(&text).unwrap()).unwrap_err().to_string();
            assert!(error.contains(key), "{source}: {error}");
        }
        assert!(Miner::new(&LogsConfig::default()).is_ok());
    }
}
