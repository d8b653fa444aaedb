//! `/v1/notifications`

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Problem, extract::Asked};
use crate::api::{
    Control, ControlError,
    control::NotificationsQuery,
    view::{NotificationPage, NotificationView, Page},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(notifications))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NotificationsParams {
    /// `pending`, `delivered` or `given_up`.
    state: Option<String>,
    /// Name of a webhook, or `smtp`.
    receiver: Option<String>,
    instance: Option<String>,
    #[serde(default)]
    page_size: u32,
    page_token: Option<i64>,
}

/// Notifications, newest first: one for each receiver of what was told.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "notifications", params(NotificationsParams),
    responses(
        (status = 200, body = Page<NotificationView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn notifications(
    State(control): State<Control>,
    Asked(params): Asked<NotificationsParams>,
) -> Result<Json<NotificationPage>, ControlError> {
    let NotificationsParams { state, receiver, instance, page_size, page_token: after } = params;
    control.notifications(NotificationsQuery { state, receiver, instance, page_size, after }).await.map(Json)
}
