//! Why a command did not do what was asked, with what to do next.

use super::Exit;
use crate::{app::AppError, config::ConfigError, store::StoreError};

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The answer is no.
    #[error("{0}")]
    No(String),
    #[error("{0}")]
    Input(String),
    /// A file that cannot be used; the source says why.
    #[error(transparent)]
    File(anyhow::Error),
    #[error(
        "no controller answers at {address}; start one with `reveille serve` or name another with --address"
    )]
    Unreachable { address: String, source: reqwest::Error },
    #[error("{0}")]
    NotPermitted(String),
    #[error(transparent)]
    Internal(anyhow::Error),
    #[error("failed to write the output")]
    Output(#[from] std::io::Error),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::No(_) => Exit::No,
            Self::Input(_) | Self::File(_) => Exit::Input,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::NotPermitted(_) => Exit::NotPermitted,
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Internal(_) | Self::Output(_) => Exit::Internal,
        }
    }

    pub(super) fn file(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::File(anyhow::Error::new(error))
    }

    pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(anyhow::Error::new(error))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::file(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Config(_)
            | AppError::DataDir { .. }
            | AppError::Locked { .. }
            | AppError::Tokens(_)
            | AppError::Listen { .. } => Self::file(error),
            AppError::Store(_) | AppError::Task(_) | AppError::TaskDied { .. } | AppError::Serve(_) => {
                Self::internal(error)
            }
        }
    }
}
