//! `/v1/forecast`

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Problem, extract::Asked};
use crate::api::{Control, ControlError, control::ForecastQuery, view::ForecastPage};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(forecast))
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

/// Who is likely to come, from the model in service.
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
