//! `/v1/forecast`

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem,
    extract::{Asked, Named},
};
use crate::api::{
    Control, ControlError,
    control::ForecastQuery,
    view::{ExplainView, ForecastPage},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(forecast)).routes(routes!(explain))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ForecastParams {
    /// Start of the span; now without it.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Length of the span, as in `90m`, `1h 30m` or `PT90M`; one hour without it.
    #[param(value_type = Option<String>)]
    within: Option<SignedDuration>,
    /// 0-1; less likely arrivals are left out.
    #[serde(default)]
    min_probability: f64,
    /// Only this instance.
    #[param(value_type = Option<String>)]
    instance: Option<InstanceId>,
    #[serde(default)]
    page_size: u32,
    #[param(value_type = Option<String>)]
    page_token: Option<InstanceId>,
}

/// Who is likely to come, from the model in service: the probability that a visit begins in the span if nobody comes
/// before it. In order of instance. A page may hold fewer forecasts than asked for, or none, and yet not be the last:
/// go on until `next_page_token` is empty.
#[utoipa::path(
    get, path = "/v1/forecast", tag = "forecast", params(ForecastParams),
    responses(
        (status = 200, body = ForecastPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No model is in service"),
    )
)]
async fn forecast(
    State(control): State<Control>,
    Asked(params): Asked<ForecastParams>,
) -> Result<Json<ForecastPage>, ControlError> {
    let ForecastParams { at, within, min_probability, instance, page_size, page_token: after } = params;
    let query = ForecastQuery { at, within, min_probability, instance, page_size, after };
    control.forecasts(&query).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExplainParams {
    /// As if it were this time; now without it.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// Why an instance is expected or not, and when next.
#[utoipa::path(
    get, path = "/v1/instances/{instance_id}/explain", tag = "forecast",
    params(("instance_id" = String, Path, description = "Percent-encoded"), ExplainParams),
    responses(
        (status = 200, body = ExplainView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json",
            description = "No such instance, or the model says nothing about it"),
    )
)]
async fn explain(
    State(control): State<Control>,
    Named(instance): Named<InstanceId>,
    Asked(params): Asked<ExplainParams>,
) -> Result<Json<ExplainView>, ControlError> {
    control.explain(&instance, params.at).await.map(Json)
}
