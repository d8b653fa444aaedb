//! `/v1/models` and `/v1/sources`

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem,
    extract::{Asked, By, Named},
    policy::NewestParams,
};
use crate::api::{
    Control, ControlError,
    view::{Items, ModelView, ModelWeightsView, SourceView},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(model))
        .routes(routes!(model_serve))
        .routes(routes!(model_unpin))
        .routes(routes!(sources))
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

/// One version, with what it weighs.
#[utoipa::path(
    get, path = "/v1/models/{version}", tag = "model", params(("version" = u64, Path)),
    responses(
        (status = 200, body = ModelWeightsView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn model(
    State(control): State<Control>,
    Named(version): Named<u64>,
) -> Result<Json<ModelWeightsView>, ControlError> {
    control.model(version).await.map(Json)
}

/// Put a version back in service, and pin it; recorded with who and when among the changes of policy, key `model`.
#[utoipa::path(
    post, path = "/v1/models/{version}/serve", tag = "model",
    params(
        ("version" = u64, Path),
        ("x-reveille-user" = Option<String>, Header, description = "Who does it, for the record"),
    ),
    responses(
        (status = 200, body = ModelView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (
            status = 409, body = Problem, content_type = "application/problem+json",
            description = "It was rejected, or its profiles are no longer kept"
        ),
    )
)]
async fn model_serve(
    State(control): State<Control>,
    Named(version): Named<u64>,
    By(by): By,
) -> Result<Json<ModelView>, ControlError> {
    control.model_serve(version, &by).await.map(Json)
}

/// Let newer versions take the place of the one in service again.
#[utoipa::path(
    post, path = "/v1/models/unpin", tag = "model",
    params(("x-reveille-user" = Option<String>, Header, description = "Who does it, for the record")),
    responses(
        (status = 200, body = ModelView),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Nothing serves yet"),
    )
)]
async fn model_unpin(State(control): State<Control>, By(by): By) -> Result<Json<ModelView>, ControlError> {
    control.model_unpin(&by).await.map(Json)
}

/// Logs that are read, with what was in them.
#[utoipa::path(get, path = "/v1/sources", tag = "model", responses((status = 200, body = Items<SourceView>)))]
async fn sources(State(control): State<Control>) -> Result<Json<Items<SourceView>>, ControlError> {
    control.sources().await.map(Json)
}
