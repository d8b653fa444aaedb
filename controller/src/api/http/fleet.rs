//! `/v1/hosts`, `/v1/instances` and `/v1/controllers`

use axum::{Json, extract::State};
use reveille_proto::InstanceId;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Problem, extract::Asked};
use crate::api::{
    Control, ControlError,
    view::{ControllerView, HostView, InstancePage, InstanceView, Items, Page},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(hosts)).routes(routes!(instances)).routes(routes!(controllers))
}

/// Every host, with its load and its gate.
#[utoipa::path(get, path = "/v1/hosts", tag = "fleet", responses((status = 200, body = Items<HostView>)))]
async fn hosts(State(control): State<Control>) -> Result<Json<Items<HostView>>, ControlError> {
    control.hosts().await.map(|items| Json(Items { items }))
}

/// The controllers that use this database, and which of them leads.
#[utoipa::path(
    get, path = "/v1/controllers", tag = "fleet", responses((status = 200, body = Items<ControllerView>))
)]
async fn controllers(State(control): State<Control>) -> Result<Json<Items<ControllerView>>, ControlError> {
    control.controllers().await.map(|items| Json(Items { items }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InstancePageParams {
    #[serde(default)]
    pub(super) page_size: u32,
    #[param(value_type = Option<String>)]
    pub(super) page_token: Option<InstanceId>,
}

/// Instances, in order of id.
#[utoipa::path(
    get, path = "/v1/instances", tag = "fleet", params(InstancePageParams),
    responses(
        (status = 200, body = Page<InstanceView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn instances(
    State(control): State<Control>,
    Asked(params): Asked<InstancePageParams>,
) -> Result<Json<InstancePage>, ControlError> {
    control.instances(params.page_size, params.page_token.as_ref()).await.map(Json)
}
