//! What can be wrong with a configuration, and where.

use std::{io, path::PathBuf};

/// Names the file, the line or the key, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read {}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("failed to parse {} line {line}: {problem}", file.display())]
    Parse { file: PathBuf, line: usize, problem: String },
    /// A value that came from the environment, or a file together with it.
    #[error("failed to merge the environment: {problem}")]
    Environment { problem: String },
    #[error("`{key}` {problem}")]
    Key { key: String, problem: String },
    #[error("failed to read the file of `{key}` ({})", file.display())]
    KeyFile { key: String, file: PathBuf, source: io::Error },
}

impl ConfigError {
    pub fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Key { key: key.into(), problem: problem.into() }
    }
}
