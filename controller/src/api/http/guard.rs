//! Around every request: who may ask, how long it may take, and how often it was asked.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::Problem;
use crate::{
    api::{Token, auth::bearer},
    app::Shared,
};

/// Largest request body.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets requests with the operator's token through.
pub(super) async fn authorize(State(operator): State<Token>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let detail = match header.map(bearer) {
        Some(Some(secret)) if operator.admits(secret) => return next.run(request).await,
        Some(Some(_)) => "the token is not the operator's",
        Some(None) => "the Authorization header is not `Bearer TOKEN`",
        None => "the operator's token is needed: `Authorization: Bearer TOKEN`",
    };
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"reveille\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Gives up on a request after [`REQUEST_TIMEOUT`]; real time, because a person or a socket waits.
pub(super) async fn limit_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", REQUEST_TIMEOUT.as_secs());
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).into_response()
    })
}

/// Counts requests by route and status.
pub(super) async fn count(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let seconds = started.elapsed().as_secs_f64();
    shared.metrics.http_request(known_method(&method), &route, response.status().as_u16(), seconds);
    response
}

/// Methods are an open set; figures need a closed one.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" => method,
        _ => "other",
    }
}
