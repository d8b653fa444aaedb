//! The HTTP API of Toxiproxy 2, and what it does not have: leases and the journal of faults.

mod answer;
mod body;
mod faults;
mod guard;
mod lease;
mod proxies;
mod toxics;
mod version;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use super::Registry;

/// Every route there is.
pub fn router(registry: Registry) -> Router {
    Router::new()
        .route("/proxies", get(proxies::list).post(proxies::create))
        .route("/populate", post(proxies::populate))
        .route("/reset", post(proxies::reset))
        .route(
            "/proxies/{proxy}",
            get(proxies::show).post(proxies::update).patch(proxies::update).delete(proxies::delete),
        )
        .route("/proxies/{proxy}/toxics", get(toxics::list).post(toxics::create))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(toxics::show).post(toxics::update).patch(toxics::update).delete(toxics::delete),
        )
        .route("/version", get(version::version))
        .route("/v1/faults", get(faults::list))
        .route("/v1/faults/renew", post(faults::renew_all))
        .route("/v1/faults/{fault}", get(faults::show))
        .route("/v1/faults/{fault}/renew", post(faults::renew))
        .route("/v1/faults/{fault}/await", get(faults::wait))
        .fallback(answer::nothing_here)
        .layer(middleware::from_fn(guard::no_browsers))
        .with_state(registry)
}
