//! The instances themselves: they serve as soon as an effect has had its time, whoever is dead.

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use reveille_proto::clock::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::effects::Effects;

/// From the accepted call until the instance serves.
pub const BOOT_MS: i64 = 300;

/// Serves on a free loopback port until `stop`.
pub async fn serve(effects: Effects, stop: CancellationToken) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/i/{instance}/", get(page)).with_state(effects);
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the instances' pages stopped");
        }
    });
    Ok(address)
}

async fn page(State(effects): State<Effects>, Path(instance): Path<String>) -> (StatusCode, String) {
    match effects.serves(&instance, BOOT_MS, Clock::system().now()) {
        Ok(true) => (StatusCode::OK, format!("instance {instance}\n")),
        Ok(false) => (StatusCode::SERVICE_UNAVAILABLE, "hibernated\n".into()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
