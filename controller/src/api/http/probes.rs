//! `/livez`, `/readyz`, `/metrics`: for whoever keeps the controller running. No token is needed.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;
use tokio::sync::watch;

use super::scrape::scrape;
use crate::{api::ControlError, app::Shared};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long the database may take to answer a probe; real time, as the prober's own.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
struct Probes {
    shared: Shared,
    ready: watch::Receiver<bool>,
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    /// The database answers.
    store: bool,
    /// Every task went through once since the start, and the controller is not going down.
    tasks: bool,
}

pub(super) fn routes(shared: Shared, ready: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Probes { shared, ready })
}

/// The process runs and answers; says nothing of the database.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(probes): State<Probes>) -> impl IntoResponse {
    let ping = tokio::time::timeout(PING_TIMEOUT, probes.shared.store.ping()).await;
    let store = matches!(ping, Ok(Ok(())));
    let tasks = *probes.ready.borrow();
    let ready = store && tasks;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, store, tasks }))
}

async fn metrics(State(probes): State<Probes>) -> Result<impl IntoResponse, ControlError> {
    let text = scrape(&probes.shared).await;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}
