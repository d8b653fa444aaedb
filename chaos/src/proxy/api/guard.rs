//! Keeps pages in browsers out: whoever can open one on this machine must not be able to break its links.

use axum::{
    extract::Request,
    http::header::USER_AGENT,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::answer::Failure;

pub(super) async fn no_browsers(request: Request, next: Next) -> Response {
    let agent = request.headers().get(USER_AGENT);
    if agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/")) {
        return Failure { error: "User agent not allowed".into(), status: 403 }.into_response();
    }
    next.run(request).await
}
