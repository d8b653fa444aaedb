//! What can stop the reading of a source. A bad line cannot: it is a reject.

use std::{io, path::PathBuf};

/// A configuration that cannot be used, or a source that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("`{key}` is not a regular expression: {text:?}")]
    Pattern { key: String, text: String, source: Box<regex::Error> },
    #[error("`{key}` {problem}")]
    Setting { key: String, problem: String },
    #[error("`{key}` is not a network: {text:?}")]
    Network { key: String, text: String, source: ipnet::AddrParseError },
    #[error("{pattern:?} is not a file pattern")]
    Glob { pattern: String, source: glob::PatternError },
    #[error("no file matches {pattern:?}")]
    NoFiles { pattern: String },
    #[error("could not list {}", path.display())]
    List { path: PathBuf, source: io::Error },
    #[error("could not open {file}")]
    Open { file: String, source: io::Error },
    #[error("could not read {file}")]
    Read { file: String, source: io::Error },
}

impl LogsError {
    pub(super) fn setting(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), problem: problem.into() }
    }
}
