//! `/v1/report`

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Problem, extract::Asked};
use crate::{
    api::{Control, ControlError},
    report::Scorecard,
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(report))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReportParams {
    /// Seven days before `to` without it.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Now without it.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// What Reveille was good for over a span: verdicts beside the baseline, minutes saved, idle hours
/// spent, and the effect as the hold-out tells it.
#[utoipa::path(
    get, path = "/v1/report", tag = "report", params(ReportParams),
    responses(
        (status = 200, body = Object, description = "The scorecard"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn report(
    State(control): State<Control>,
    Asked(params): Asked<ReportParams>,
) -> Result<Json<Scorecard>, ControlError> {
    control.report(params.from, params.to).await.map(Json)
}
