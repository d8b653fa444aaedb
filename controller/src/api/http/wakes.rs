//! `/v1/wakes` and asking for an instance.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use reveille_proto::{InstanceId, WakeId};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem,
    extract::{Asked, Body, By, Named},
};
use crate::{
    api::{
        Control, ControlError, WakeAsked,
        control::WakesQuery,
        view::{Page, WakeBody, WakePage, WakeStoryView, WakeView},
    },
    wake::Reason,
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(wake_instance))
        .routes(routes!(wakes_list))
        .routes(routes!(wake_show))
        .routes(routes!(wake_cancel))
        .routes(routes!(wake_force))
        .routes(routes!(wake_retry))
}

/// Ask for an instance now. Joins a wake under way.
#[utoipa::path(
    post, path = "/v1/instances/{instance_id}/wake", tag = "wakes", request_body = WakeBody,
    params(
        ("instance_id" = String, Path, description = "Percent-encoded"),
        ("x-reveille-user" = Option<String>, Header, description = "Who asks, for the record"),
    ),
    responses(
        (status = 202, body = WakeAsked, description = "On disk; `Location` is the wake",
            headers(("Location" = String, description = "Where the wake is followed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such instance"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "No agent lists it"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The queue is full"),
    )
)]
async fn wake_instance(
    State(control): State<Control>,
    Named(instance): Named<InstanceId>,
    By(by): By,
    Body(body): Body<WakeBody>,
) -> Result<impl IntoResponse, ControlError> {
    let reason = body.reason.as_deref().map_or(Ok(Reason::Demand), str::parse);
    let reason =
        reason.map_err(|problem: String| ControlError::invalid("reason", format!("is {problem}")))?;
    let asked = control.wake_instance(&instance, &by, reason).await?;
    let location = format!("/v1/wakes/{}", asked.wake.wake_id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(asked)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WakesParams {
    /// `queued`, `dispatched`, `calling`, `starting` or `ended`.
    state: Option<String>,
    #[param(value_type = Option<String>)]
    instance: Option<InstanceId>,
    /// `forecast`, `demand`, `operator` or `experiment`.
    #[param(value_type = Option<String>)]
    reason: Option<Reason>,
    #[serde(default)]
    page_size: u32,
    #[param(value_type = Option<String>)]
    page_token: Option<WakeId>,
}

/// Wakes, newest first.
#[utoipa::path(
    get, path = "/v1/wakes", tag = "wakes", params(WakesParams),
    responses(
        (status = 200, body = Page<WakeView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn wakes_list(
    State(control): State<Control>,
    Asked(params): Asked<WakesParams>,
) -> Result<Json<WakePage>, ControlError> {
    let WakesParams { state, instance, reason, page_size, page_token: after } = params;
    control.wakes(WakesQuery { state, instance, reason, page_size, after }).await.map(Json)
}

/// One wake, with every move it made.
#[utoipa::path(
    get, path = "/v1/wakes/{wake_id}", tag = "wakes", params(("wake_id" = String, Path)),
    responses(
        (status = 200, body = WakeStoryView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn wake_show(
    State(control): State<Control>,
    Named(id): Named<WakeId>,
) -> Result<Json<WakeStoryView>, ControlError> {
    control.wake(id).await.map(Json)
}

/// End a wake now, in whatever state it is, without waiting for its agent.
#[utoipa::path(
    post, path = "/v1/wakes/{wake_id}/force", tag = "wakes", params(("wake_id" = String, Path)),
    responses(
        (status = 200, body = WakeView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It is over"),
    )
)]
async fn wake_force(
    State(control): State<Control>,
    Named(id): Named<WakeId>,
    By(by): By,
) -> Result<Json<WakeView>, ControlError> {
    control.force_wake(id, &by).await.map(Json)
}

/// Ask anew for the instance of a wake that failed, was refused, cancelled, or ran out of its time.
#[utoipa::path(
    post, path = "/v1/wakes/{wake_id}/retry", tag = "wakes", params(("wake_id" = String, Path)),
    responses(
        (status = 202, body = WakeAsked),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It goes on, or ended well"),
    )
)]
async fn wake_retry(
    State(control): State<Control>,
    Named(id): Named<WakeId>,
    By(by): By,
) -> Result<(StatusCode, Json<WakeAsked>), ControlError> {
    Ok((StatusCode::ACCEPTED, Json(control.retry_wake(id, &by).await?)))
}

/// Call a wake off. A running one goes on until its agent says it stopped.
#[utoipa::path(
    post, path = "/v1/wakes/{wake_id}/cancel", tag = "wakes", params(("wake_id" = String, Path)),
    responses(
        (status = 200, body = WakeView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It is over"),
    )
)]
async fn wake_cancel(
    State(control): State<Control>,
    Named(id): Named<WakeId>,
    By(by): By,
) -> Result<Json<WakeView>, ControlError> {
    control.cancel_wake(id, &by).await.map(Json)
}
