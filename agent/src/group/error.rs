//! Why there is no CPU group, or what could not be done with one.

use std::{io, path::PathBuf};

/// Names the file and what was wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    #[error("failed to find a hierarchy of control groups that can limit CPU")]
    NoHierarchy,
    #[error("failed to {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("failed to understand {}: {problem}", path.display())]
    Parse { path: PathBuf, problem: String },
    #[error("failed to start a process in its group")]
    Enter { source: io::Error },
    #[error("failed to measure the host")]
    Load(#[from] crate::load::LoadError),
}

impl GroupError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(super) fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
