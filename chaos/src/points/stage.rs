//! The sockets of the course: portals, instances and a platform, in the process that is never killed. What they did is what
//! happened.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Role, calls::Calls};
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    world::IDEMPOTENCY_HEADER,
};

/// Longer than an agent waits for an answer.
const NO_ANSWER: Duration = Duration::from_millis(2500);
/// The portal's word on when to come again.
const RETRY_AFTER_S: u32 = 1;

/// What the sockets share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stage {
    recorder: Recorder,
    calls: Calls,
    state: Arc<Mutex<BTreeMap<Role, Standing>>>,
}

/// How one instance stands.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// When a call was accepted first.
    called_at: Option<Instant>,
    /// Calls that were answered, whatever with.
    answered: u32,
    /// Its platform has changed its mind.
    allowed: bool,
}

/// What a caller says of itself.
#[derive(Debug, Deserialize)]
struct Caller {
    wake: Option<String>,
}

impl Stage {
    pub fn new(recorder: Recorder, calls: Calls) -> Self {
        Self { recorder, calls, state: Arc::default() }
    }

    /// Serves every role at an address of its own, as breakers go by address, until `stop`.
    pub async fn serve(&self, stop: &CancellationToken) -> io::Result<BTreeMap<Role, SocketAddr>> {
        let mut addresses = BTreeMap::new();
        for role in Role::ALL {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.insert(role, listener.local_addr()?);
            let router = Router::new()
                .route("/{endpoint}/{instance}/wake", post(wake))
                .route("/i/{instance}/", get(page))
                .route("/status/{instance}", get(status))
                .with_state(self.clone());
            let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
            tokio::spawn(async move {
                if let Err(error) = server.await {
                    tracing::error!(%error, role = role.name(), "the endpoints of a role stopped");
                }
            });
        }
        Ok(addresses)
    }

    /// The platform of an instance does not mind any more.
    pub fn allow(&self, role: Role) {
        self.state().entry(role).or_default().allowed = true;
    }

    /// Whether it serves now.
    pub fn serves(&self, role: Role) -> bool {
        if role == Role::Awake {
            return true;
        }
        let called_at = self.state().get(&role).and_then(|standing| standing.called_at);
        let boots = role.boot_ms().map(Duration::from_millis);
        called_at.zip(boots).is_some_and(|(at, boots)| at.elapsed() >= boots)
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<Role, Standing>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the endpoint answers, and whether it acts before.
    fn answer(&self, role: Role, endpoint: &str) -> (Answer, bool) {
        let mut state = self.state();
        let standing = state.entry(role).or_default();
        standing.answered += 1;
        let answer = match (role, endpoint) {
            (Role::Fallback, "portal") => Answer::Status(StatusCode::SERVICE_UNAVAILABLE),
            // Both endpoints are asked in an attempt.
            (Role::Retried, _) if standing.answered <= 2 => Answer::Status(StatusCode::SERVICE_UNAVAILABLE),
            (Role::HeldBack, _) if standing.answered == 1 => Answer::ComeAgain,
            (Role::Failed, _) => Answer::Status(StatusCode::NOT_FOUND),
            (Role::LostAnswer, _) => Answer::Nothing,
            _ => Answer::Status(StatusCode::ACCEPTED),
        };
        let acts = matches!(answer, Answer::Nothing | Answer::Status(StatusCode::ACCEPTED));
        if acts {
            standing.called_at.get_or_insert(Instant::now());
        }
        (answer, acts)
    }

    fn note(&self, node: &str, kind: Kind, function: Function, key: Key, value: serde_json::Value) -> u64 {
        self.recorder.record(Entry::new(node, kind, function, key).value(value))
    }
}

enum Answer {
    Status(StatusCode),
    ComeAgain,
    Nothing,
}

async fn wake(
    State(stage): State<Stage>,
    Path((endpoint, instance)): Path<(String, String)>,
    Query(caller): Query<Caller>,
    headers: HeaderMap,
) -> Response {
    let Some(role) = Role::of(&instance) else { return StatusCode::NOT_FOUND.into_response() };
    let idem = headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = Key { wake: caller.wake, idem, ..key(role) };
    // A call that has arrived is carried out, whether or not its caller lives to hear the answer.
    let carried_out = tokio::spawn(async move { carry_out(&stage, role, &endpoint, key).await });
    carried_out.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn carry_out(stage: &Stage, role: Role, endpoint: &str, key: Key) -> Response {
    stage.note(endpoint, Kind::Invoke, Function::CallEndpoint, key.clone(), json!(null));
    stage.calls.passed("call-arrived", endpoint, role).await;
    let (answer, acts) = stage.answer(role, endpoint);
    if acts {
        let value = json!({"booted": true, "endpoint": endpoint});
        stage.note(endpoint, Kind::Ok, Function::EndpointEffect, key, value);
        stage.calls.passed("call-acted", endpoint, role).await;
    }
    match answer {
        Answer::Status(status) => status.into_response(),
        Answer::ComeAgain => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, RETRY_AFTER_S.to_string())])
                .into_response()
        }
        Answer::Nothing => {
            tokio::time::sleep(NO_ANSWER).await;
            StatusCode::ACCEPTED.into_response()
        }
    }
}

async fn page(State(stage): State<Stage>, Path(instance): Path<String>) -> (StatusCode, String) {
    let Some(role) = Role::of(&instance) else { return (StatusCode::NOT_FOUND, String::new()) };
    let serving = stage.serves(role);
    stage.note("instance", Kind::Ok, Function::Poll, key(role), json!({"serving": serving}));
    if serving {
        (StatusCode::OK, format!("instance {instance}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "hibernated\n".into())
    }
}

async fn status(State(stage): State<Stage>, Path(instance): Path<String>) -> Response {
    let Some(role) = Role::of(&instance) else { return StatusCode::NOT_FOUND.into_response() };
    let allowed = stage.state().get(&role).is_some_and(|standing| standing.allowed);
    Json(json!({"state": if allowed { "hibernated" } else { "reclaimed" }})).into_response()
}

/// Nobody here falls asleep again: there is one window.
fn key(role: Role) -> Key {
    Key {
        instance: Some(role.name().into()),
        window: Some("sleep-1".into()),
        host: Some(super::nodes::host(role.agent())),
        ..Key::default()
    }
}
