//! `/proxies/{proxy}/toxics`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};

use super::{body, lease::lease_s};
use crate::proxy::{NewToxic, Refusal, Registry, ToxicChange, ToxicView};

pub(super) async fn list(
    State(registry): State<Registry>,
    Path(proxy): Path<String>,
) -> Result<Json<Vec<ToxicView>>, Refusal> {
    registry.toxics(&proxy).await.map(Json)
}

pub(super) async fn create(
    State(registry): State<Registry>,
    Path(proxy): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ToxicView>, Refusal> {
    registry.proxy(&proxy).await?;
    let new: NewToxic = body::read(&body)?;
    let lease_s = lease_s(new.lease_s, &headers)?;
    registry.add_toxic(&proxy, NewToxic { lease_s, ..new }).await.map(Json)
}

pub(super) async fn show(
    State(registry): State<Registry>,
    Path((proxy, toxic)): Path<(String, String)>,
) -> Result<Json<ToxicView>, Refusal> {
    registry.toxic(&proxy, &toxic).await.map(Json)
}

pub(super) async fn update(
    State(registry): State<Registry>,
    Path((proxy, toxic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ToxicView>, Refusal> {
    registry.toxic(&proxy, &toxic).await?;
    let change: ToxicChange = body::read(&body)?;
    let lease_s = lease_s(change.lease_s, &headers)?;
    registry.change_toxic(&proxy, &toxic, ToxicChange { lease_s, ..change }).await.map(Json)
}

pub(super) async fn delete(
    State(registry): State<Registry>,
    Path((proxy, toxic)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    registry.remove_toxic(&proxy, &toxic).await.map(|()| StatusCode::NO_CONTENT)
}
