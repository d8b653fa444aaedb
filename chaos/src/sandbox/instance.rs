//! An instance as a process: it costs CPU to start, then serves as itself.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{Router, routing::get};
use nix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;

/// Burns `burn` of CPU, then answers `GET /` with `instance NAME` until it is stopped.
pub async fn serve(name: String, listen: SocketAddr, burn: Duration) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || burn_cpu(burn)).await.context("failed to start")?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("failed to listen on {listen}"))?;
    let body = format!("instance {name}\n");
    let router = Router::new().route("/", get(move || async move { body }));
    axum::serve(listener, router).await.context("failed to serve")
}

/// One core, until so much of its time was had: on a busy or capped host that takes longer.
fn burn_cpu(burn: Duration) {
    let started = used();
    let mut state = 1u64;
    while used().saturating_sub(started) < burn {
        for _ in 0..10_000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// CPU time this thread has had.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}
