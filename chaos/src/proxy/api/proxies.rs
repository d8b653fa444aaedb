//! `/proxies`, `/populate` and `/reset`.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{answer::Failure, body, lease::lease_s};
use crate::proxy::{NewProxy, ProxyChange, ProxyView, Refusal, Registry};

pub(super) async fn list(State(registry): State<Registry>) -> Json<BTreeMap<String, ProxyView>> {
    Json(registry.proxies().await.into_iter().map(|proxy| (proxy.name.clone(), proxy)).collect())
}

pub(super) async fn create(
    State(registry): State<Registry>,
    body: Bytes,
) -> Result<(StatusCode, Json<ProxyView>), Refusal> {
    let new: NewProxy = body::read(&body)?;
    Ok((StatusCode::CREATED, Json(registry.create(new).await?)))
}

#[derive(Debug, Serialize)]
struct Populated {
    #[serde(flatten)]
    failure: Option<Failure>,
    proxies: Vec<ProxyView>,
}

/// Says what was done, also where something failed.
pub(super) async fn populate(State(registry): State<Registry>, body: Bytes) -> Response {
    let (proxies, refusal) = match body::read::<Vec<NewProxy>>(&body) {
        Ok(all) => registry.populate(all).await,
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let failure = refusal.as_ref().map(Failure::from);
    let status = failure.as_ref().map_or(201, |failure| failure.status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(Populated { failure, proxies })).into_response()
}

pub(super) async fn reset(State(registry): State<Registry>) -> Result<StatusCode, Refusal> {
    registry.reset().await.map(|()| StatusCode::NO_CONTENT)
}

pub(super) async fn show(
    State(registry): State<Registry>,
    Path(proxy): Path<String>,
) -> Result<Json<ProxyView>, Refusal> {
    registry.proxy(&proxy).await.map(Json)
}

pub(super) async fn update(
    State(registry): State<Registry>,
    Path(proxy): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ProxyView>, Refusal> {
    registry.proxy(&proxy).await?;
    let change: ProxyChange = body::read(&body)?;
    let lease_s = lease_s(change.lease_s, &headers)?;
    registry.update(&proxy, ProxyChange { lease_s, ..change }).await.map(Json)
}

pub(super) async fn delete(
    State(registry): State<Registry>,
    Path(proxy): Path<String>,
) -> Result<StatusCode, Refusal> {
    registry.delete(&proxy).await.map(|()| StatusCode::NO_CONTENT)
}
