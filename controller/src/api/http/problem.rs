//! Refusals as problem+json (RFC 9457).

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::ControlError;

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was refused. `type` is always `about:blank`; `code` is for programs, `detail` for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// `not_found`, `invalid`, `conflict`, `unavailable`, `unauthorized`, `internal`, ...
    pub code: String,
    /// The part of the request that is wrong, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("error").into(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: String::new(),
            code: code.into(),
            field: None,
        }
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Status and the problem itself; `render` writes the body, because it knows the path.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let detail = self.to_string();
        match self {
            Self::NotFound(_) => Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response(),
            Self::Conflict(_) => Problem::new(StatusCode::CONFLICT, "conflict", detail).into_response(),
            Self::Invalid { field, .. } => {
                let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid", detail);
                Problem { field: Some(field), ..problem }.into_response()
            }
            Self::Unavailable { retry_after_s, .. } => {
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
                let mut response = problem.into_response();
                response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
                response
            }
            Self::Internal(source) => {
                let chain = anyhow::Error::new(source);
                tracing::error!(error = format!("{chain:#}"), "a request could not be answered");
                let detail = format!("{detail}; its log says why");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
            }
        }
    }
}

/// Writes the body of every problem, with the path of its request.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else { return response };
    problem.instance = path;
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, body.into())
}
