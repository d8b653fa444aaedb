//! Refusals as gRPC statuses.

use tonic::Status;

use crate::api::ControlError;

impl From<ControlError> for Status {
    fn from(error: ControlError) -> Self {
        let text = error.to_string();
        match error {
            ControlError::NotFound(_) => Self::not_found(text),
            ControlError::Invalid { .. } => Self::invalid_argument(text),
            ControlError::Conflict(_) => Self::failed_precondition(text),
            ControlError::Unavailable { retry_after_s, .. } => {
                Self::unavailable(format!("{text}; try again in {retry_after_s} s"))
            }
            ControlError::Internal(source) => {
                let chain = anyhow::Error::new(source);
                tracing::error!(error = format!("{chain:#}"), "a call could not be answered");
                Self::internal(format!("{text}; its log says why"))
            }
        }
    }
}
