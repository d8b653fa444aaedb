//! A wake endpoint in a process of its own. It thinks before and after it acts, so that a kill finds it in either half.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path as UrlPath, Query, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use rand::{RngExt, rngs::StdRng};
use reveille_proto::clock::Clock;
use serde::Deserialize;
use tokio::net::TcpListener;

use super::effects::{Effect, Effects};
use crate::world::{IDEMPOTENCY_HEADER, stream};

/// Longest thought, before and after, in milliseconds.
const THINK_MS_MAX: u64 = 40;

#[derive(Debug, Clone)]
struct Desk {
    name: Arc<str>,
    effects: Effects,
    clock: Clock,
    rng: Arc<Mutex<StdRng>>,
}

#[derive(Debug, Deserialize)]
struct Caller {
    wake: Option<String>,
}

/// Serves until it is killed.
pub async fn serve(name: &str, listen: SocketAddr, effects: &Path, seed: u64) -> anyhow::Result<()> {
    let effects = Effects::open(effects).context("failed to open the directory of effects")?;
    let rng = Arc::new(Mutex::new(stream(seed, 60)));
    let desk = Desk { name: name.into(), effects, clock: Clock::system(), rng };
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("failed to listen on {listen}"))?;
    let router = Router::new().route("/wake/{instance}", post(wake)).with_state(desk);
    axum::serve(listener, router).await.context("failed to serve")
}

async fn wake(
    State(desk): State<Desk>,
    UrlPath(instance): UrlPath<String>,
    Query(caller): Query<Caller>,
    headers: HeaderMap,
) -> StatusCode {
    desk.think().await;
    let idem = headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let at_ms = desk.clock.now().as_millisecond();
    let effect = Effect { at_ms, endpoint: desk.name.to_string(), wake: caller.wake, idem };
    if let Err(error) = desk.effects.append(&instance, &effect) {
        tracing::error!(%error, "failed to write an effect");
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    desk.think().await;
    StatusCode::ACCEPTED
}

impl Desk {
    async fn think(&self) {
        let ms = self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..THINK_MS_MAX);
        self.clock.sleep(Duration::from_millis(ms)).await;
    }
}
