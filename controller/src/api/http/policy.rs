//! `/v1/policy`

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem,
    extract::{Asked, Body, By, Named},
};
use crate::api::{
    Control, ControlError,
    view::{Items, PolicyChangeView, PolicySetBody, PolicyView},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(policy))
        .routes(routes!(policy_set, policy_unset))
        .routes(routes!(policy_changes))
}

/// The policy in force.
#[utoipa::path(get, path = "/v1/policy", tag = "policy", responses((status = 200, body = PolicyView)))]
async fn policy(State(control): State<Control>) -> Result<Json<PolicyView>, ControlError> {
    control.policy().await.map(Json)
}

/// Change one key, without a restart; recorded with who and when.
#[utoipa::path(
    put, path = "/v1/policy/{key}", tag = "policy", request_body = PolicySetBody,
    params(
        ("key" = String, Path),
        ("x-reveille-user" = Option<String>, Header, description = "Who changes it, for the record"),
    ),
    responses(
        (status = 200, body = PolicyView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such key"),
    )
)]
async fn policy_set(
    State(control): State<Control>,
    Named(key): Named<String>,
    By(by): By,
    Body(body): Body<PolicySetBody>,
) -> Result<Json<PolicyView>, ControlError> {
    control.policy_set(&key, &body.as_toml(), &by).await.map(Json)
}

/// Take one key back to what the configuration says; recorded with who and when.
#[utoipa::path(
    delete, path = "/v1/policy/{key}", tag = "policy",
    params(
        ("key" = String, Path),
        ("x-reveille-user" = Option<String>, Header, description = "Who changes it, for the record"),
    ),
    responses(
        (status = 200, body = PolicyView),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such key"),
    )
)]
async fn policy_unset(
    State(control): State<Control>,
    Named(key): Named<String>,
    By(by): By,
) -> Result<Json<PolicyView>, ControlError> {
    control.policy_unset(&key, &by).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NewestParams {
    /// How many, newest first.
    #[serde(default)]
    pub(super) page_size: u32,
}

/// Who changed what, newest first.
#[utoipa::path(
    get, path = "/v1/policy/changes", tag = "policy", params(NewestParams),
    responses((status = 200, body = Items<PolicyChangeView>))
)]
async fn policy_changes(
    State(control): State<Control>,
    Asked(params): Asked<NewestParams>,
) -> Result<Json<Items<PolicyChangeView>>, ControlError> {
    control.policy_changes(params.page_size).await.map(Json)
}
