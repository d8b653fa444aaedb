//! All routes on one page.

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use tokio::sync::watch;
use tower_http::trace::TraceLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    Problem, fleet, forecasts, guard, learned, notifications, plans, policy, probes, problem, report, wakes,
};
use crate::api::{Control, Tokens};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Reveille",
        description = "Wakes hibernated instances before their users arrive. \
            Times are RFC 3339; refusals are application/problem+json.",
    ),
    modifiers(&Bearer),
    security(("bearer" = [])),
    tags(
        (name = "wakes", description = "Asking for instances, and what became of it"),
        (name = "forecast", description = "Who is likely to come"),
        (name = "fleet", description = "Hosts, instances and controllers"),
        (name = "plan", description = "What is going to be woken, and what is not, with reasons"),
        (name = "policy", description = "What an operator may change at run time"),
        (name = "report", description = "What it was good for"),
        (name = "notifications", description = "What receivers are told, and how far that is"),
        (name = "model", description = "What was learned, and from what"),
    )
)]
struct ApiDoc;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

fn v1() -> OpenApiRouter<Control> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(forecasts::routes())
        .merge(wakes::routes())
        .merge(fleet::routes())
        .merge(plans::routes())
        .merge(policy::routes())
        .merge(report::routes())
        .merge(learned::routes())
        .merge(notifications::routes())
}

/// The contract of `/v1`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    v1().into_openapi()
}

/// Everything that is served over HTTP. `ready` turns true once every task went through.
pub fn http_router(control: Control, tokens: &Tokens, ready: watch::Receiver<bool>) -> Router {
    let shared = control.shared.clone();
    let (v1, openapi) = v1().split_for_parts();
    let v1 =
        v1.with_state(control).route_layer(from_fn_with_state(tokens.operator.clone(), guard::authorize));
    Router::new()
        .merge(v1)
        .route("/v1/openapi.json", get(move || std::future::ready(Json(openapi.clone()))))
        .merge(probes::routes(shared.clone(), ready))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(guard::BODY_BYTES_MAX))
        .layer(from_fn(guard::limit_time))
        .layer(from_fn_with_state(shared, guard::count))
        .layer(from_fn(problem::render))
        .layer(TraceLayer::new_for_http())
}

async fn unknown_route() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        "there is no such route; /v1/openapi.json lists them",
    )
}

async fn unknown_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "the route does not take this method")
}
