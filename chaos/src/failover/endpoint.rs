//! The endpoints and the instances behind them, in this process, which no fault touches: what they say is the truth.

use std::{net::Ipv4Addr, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use jiff::SignedDuration;
use reveille_proto::clock::Clock;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    world::{IDEMPOTENCY_HEADER, index_of},
};

/// From the accepted call until the instance serves.
const BOOT: SignedDuration = SignedDuration::from_millis(300);
/// Between what a call does and its answer: a fault finds answers on their way.
const THOUGHT: Duration = Duration::from_millis(20);
/// Instances do not fall asleep again here: all calls of one are in one window.
const WINDOW: &str = "sleep-1";

#[derive(Debug, Clone)]
struct Desk {
    clock: Clock,
    ledger: Ledger,
    recorder: Recorder,
}

#[derive(Debug, Deserialize)]
struct Caller {
    wake: Option<String>,
}

/// Serves on this machine's address of a network until `stop`.
pub(super) async fn serve(
    on: Ipv4Addr,
    clock: Clock,
    ledger: Ledger,
    recorder: Recorder,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((on, 0)).await.with_context(|| format!("failed to listen on {on}"))?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/wake/{instance}", post(wake))
        .route("/i/{instance}/", get(page))
        .with_state(Desk { clock, ledger, recorder });
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the endpoints stopped");
        }
    });
    Ok(address)
}

async fn wake(
    State(desk): State<Desk>,
    Path(instance): Path<String>,
    Query(caller): Query<Caller>,
    headers: HeaderMap,
) -> StatusCode {
    let Some(index) = index_of(&instance) else { return StatusCode::NOT_FOUND };
    let idem = headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = Key {
        instance: Some(instance),
        window: Some(WINDOW.into()),
        wake: caller.wake,
        idem,
        ..Key::default()
    };
    desk.ledger.called(index, desk.clock.now());
    desk.recorder.record(Entry::new("endpoint", Kind::Ok, Function::EndpointEffect, key));
    desk.clock.sleep(THOUGHT).await;
    StatusCode::ACCEPTED
}

async fn page(State(desk): State<Desk>, Path(instance): Path<String>) -> (StatusCode, String) {
    let called = index_of(&instance).and_then(|index| desk.ledger.first_call(index));
    if called.is_some_and(|at| desk.clock.now().duration_since(at) >= BOOT) {
        (StatusCode::OK, format!("instance {instance}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "hibernated\n".into())
    }
}
