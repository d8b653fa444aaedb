//! Why a question has no answer.

use crate::{
    app::PolicyChangeError,
    policy::PolicyError,
    store::{ServeError, StoreError},
    tasks::TaskError,
};

/// Each face turns it into its own kind of refusal: problem+json, or a gRPC status.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// What was asked for does not exist; the text says what to do about it.
    #[error("{0}")]
    NotFound(String),
    #[error("`{field}` {problem}")]
    Invalid { field: String, problem: String },
    /// It exists, and is in no state to do what was asked.
    #[error("{0}")]
    Conflict(String),
    #[error("{problem}")]
    Unavailable { problem: String, retry_after_s: u32 },
    #[error("the controller failed to answer")]
    Internal(#[source] StoreError),
}

impl ControlError {
    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoWake(id) => Self::NotFound(format!("there is no wake {id}")),
            StoreError::Wake(illegal) => Self::Conflict(illegal.to_string()),
            other => Self::Internal(other),
        }
    }
}

/// Advice to somebody whose question needs a model that cannot be put in memory now, in seconds.
const MODEL_RETRY_AFTER_S: u32 = 30;

impl From<TaskError> for ControlError {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Store(error) => error.into(),
            other => Self::Unavailable {
                problem: format!("the model in service cannot be read: {other}"),
                retry_after_s: MODEL_RETRY_AFTER_S,
            },
        }
    }
}

impl From<PolicyChangeError> for ControlError {
    fn from(error: PolicyChangeError) -> Self {
        match error {
            PolicyChangeError::Policy(PolicyError::UnknownKey { key, known }) => {
                Self::NotFound(format!("there is no policy key `{key}`; the keys are {known}"))
            }
            PolicyChangeError::Policy(PolicyError::BadValue { key, value, problem }) => {
                Self::invalid(key, format!("cannot be {value}: {problem}"))
            }
            PolicyChangeError::Store(error) => error.into(),
        }
    }
}

impl From<ServeError> for ControlError {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Unknown(_) => Self::NotFound(error.to_string()),
            ServeError::Rejected { .. }
            | ServeError::Pruned(_)
            | ServeError::Unreadable(_)
            | ServeError::Nothing => Self::Conflict(error.to_string()),
            ServeError::Store(error) => error.into(),
        }
    }
}
