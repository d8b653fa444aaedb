//! `/v1/faults`: the journal, renewing leases, and waiting until a fault is proven.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{body, lease::lease_s};
use crate::proxy::{FaultId, FaultView, Journal, Refusal, Registry};

/// Between two looks at the counters, in milliseconds.
const LOOK_EVERY_MS: u64 = 10;

/// How long a caller may wait for hits, in seconds.
const WITHIN_S_MAX: f64 = 300.0;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Renewal {
    lease_s: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    hits: u64,
    within_s: f64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { hits: 1, within_s: 30.0 }
    }
}

fn id(text: &str) -> Result<FaultId, Refusal> {
    text.parse().map_err(|_| Refusal::FaultNotFound)
}

pub(super) async fn list(State(registry): State<Registry>) -> Json<Journal> {
    Json(registry.journal().await)
}

pub(super) async fn show(
    State(registry): State<Registry>,
    Path(fault): Path<String>,
) -> Result<Json<FaultView>, Refusal> {
    registry.fault(id(&fault)?).await.map(Json)
}

pub(super) async fn renew(
    State(registry): State<Registry>,
    Path(fault): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<FaultView>, Refusal> {
    let renewal: Renewal = body::read_or_default(&body)?;
    registry.renew(id(&fault)?, lease_s(renewal.lease_s, &headers)?).await.map(Json)
}

pub(super) async fn renew_all(
    State(registry): State<Registry>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Vec<FaultView>>, Refusal> {
    let renewal: Renewal = body::read_or_default(&body)?;
    registry.renew_all(lease_s(renewal.lease_s, &headers)?).await.map(Json)
}

/// 200 when the fault has so many hits, 409 when it is over, or time is up, before.
pub(super) async fn wait(
    State(registry): State<Registry>,
    Path(fault): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<(StatusCode, Json<FaultView>), Refusal> {
    let fault = id(&fault)?;
    let within = Duration::try_from_secs_f64(wanted.within_s.min(WITHIN_S_MAX)).unwrap_or_default();
    let decided = timeout(within, async {
        loop {
            let view = registry.fault(fault).await?;
            if view.hits >= wanted.hits || view.until.is_some() {
                return Ok::<_, Refusal>(view);
            }
            sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    });
    let view = match decided.await {
        Ok(view) => view?,
        Err(_) => registry.fault(fault).await?,
    };
    let status = if view.hits >= wanted.hits { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Json(view)))
}
