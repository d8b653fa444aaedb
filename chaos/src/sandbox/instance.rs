//! An instance as a process: it costs CPU to start, then serves as itself.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{Router, routing::get};
use tokio::{net::TcpListener, time::Instant};

/// Burns `burn` of CPU, then answers `GET /` with `instance NAME` until it is stopped.
pub async fn serve(name: String, listen: SocketAddr, burn: Duration) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || burn_cpu(burn)).await.context("failed to start")?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("failed to listen on {listen}"))?;
    let body = format!("instance {name}\n");
    let router = Router::new().route("/", get(move || async move { body }));
    axum::serve(listener, router).await.context("failed to serve")
}

/// One core, as busy as it can be.
fn burn_cpu(burn: Duration) {
    let start = Instant::now();
    let mut state = 1u64;
    while start.elapsed() < burn {
        for _ in 0..10_000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}
