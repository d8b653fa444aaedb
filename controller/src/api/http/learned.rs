//! `/v1/models` and `/v1/sources`

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{extract::Asked, policy::NewestParams};
use crate::api::{
    Control, ControlError,
    view::{Items, ModelView, SourceView},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(models)).routes(routes!(sources))
}

/// Versions of the model, newest first.
#[utoipa::path(
    get, path = "/v1/models", tag = "model", params(NewestParams),
    responses((status = 200, body = Items<ModelView>))
)]
async fn models(
    State(control): State<Control>,
    Asked(params): Asked<NewestParams>,
) -> Result<Json<Items<ModelView>>, ControlError> {
    control.models(params.page_size).await.map(Json)
}

/// Logs that are read, with what was in them.
#[utoipa::path(get, path = "/v1/sources", tag = "model", responses((status = 200, body = Items<SourceView>)))]
async fn sources(State(control): State<Control>) -> Result<Json<Items<SourceView>>, ControlError> {
    control.sources().await.map(Json)
}
