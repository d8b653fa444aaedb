//! `/v1/plan`

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Problem, extract::Asked, fleet::InstancePageParams};
use crate::api::{
    Control, ControlError,
    view::{OmissionPage, OmissionView, Page, PlanView},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(plan)).routes(routes!(omissions))
}

/// The newest plan.
#[utoipa::path(
    get, path = "/v1/plan", tag = "plan",
    responses(
        (status = 200, body = PlanView),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "None was made yet"),
    )
)]
async fn plan(State(control): State<Control>) -> Result<Json<PlanView>, ControlError> {
    control.plan_newest().await.map(Json)
}

/// Whom the newest plan left out, and why, in order of instance.
#[utoipa::path(
    get, path = "/v1/plan/omissions", tag = "plan", params(InstancePageParams),
    responses((status = 200, body = Page<OmissionView>))
)]
async fn omissions(
    State(control): State<Control>,
    Asked(params): Asked<InstancePageParams>,
) -> Result<Json<OmissionPage>, ControlError> {
    control.omissions(params.page_size, params.page_token.as_ref()).await.map(Json)
}
