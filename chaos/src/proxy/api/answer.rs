//! What an answer looks like when something is refused: `{"error": "...", "status": 404}`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::proxy::Refusal;

/// The fields of Toxiproxy's errors.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    pub(super) error: String,
    pub(super) status: u16,
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        let mut error = refusal.to_string();
        let mut cause = std::error::Error::source(refusal);
        while let Some(inner) = cause {
            error = format!("{error}: {inner}");
            cause = inner.source();
        }
        Self { error, status: refusal.status() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Failure::from(&self).into_response()
    }
}

pub(super) async fn nothing_here() -> Failure {
    Failure { error: "no such route".into(), status: 404 }
}
