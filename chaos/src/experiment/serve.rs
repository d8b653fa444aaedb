//! One run of an experiment behind an HTTP API, for whoever takes its steps: the stock Chaos Toolkit, say.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    file::Experiment,
    run::{Answer, Asked, Body, Conducted, Desk, conduct_served},
};

/// How long an answer under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct ServeSpec {
    pub experiment: Experiment,
    pub seed: u64,
    /// It asks nobody who they are.
    pub listen: SocketAddr,
    /// The client is taken for gone after so long without a request.
    pub patience: Duration,
    /// Everything the run writes; must be empty.
    pub dir: PathBuf,
    /// The command that does the run again.
    pub replay: String,
}

/// Serves one run. `told` hears the address when the installation stands at its first step.
///
/// # Errors
/// When the address cannot be listened on, or the experiment cannot be run.
pub async fn serve(spec: ServeSpec, told: impl FnOnce(SocketAddr)) -> anyhow::Result<Conducted> {
    let listener = TcpListener::bind(spec.listen).await;
    let listener = listener.with_context(|| format!("failed to listen on {}", spec.listen))?;
    let address = listener.local_addr().context("failed to read the address")?;
    let (asks, asked) = mpsc::channel();
    let (ready, is_ready) = oneshot::channel();
    let (over, is_over) = oneshot::channel();
    let desk = Desk { asked, patience: spec.patience, ready };
    // The simulation has a runtime and a clock of its own.
    thread::Builder::new()
        .name("experiment".to_owned())
        .spawn(move || {
            let ServeSpec { experiment, seed, dir, replay, .. } = spec;
            // Nobody listens only where the server was dropped.
            over.send(conduct_served(&experiment, seed, &dir, replay, desk)).ok();
        })
        .context("failed to start a thread")?;
    let stop = CancellationToken::new();
    let served = axum::serve(listener, Router::new().fallback(take).with_state(Arc::new(asks)));
    let served = tokio::spawn(served.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
    if is_ready.await.is_ok() {
        told(address);
    }
    let conducted = is_over.await.context("the run panicked")?;
    stop.cancel();
    timeout(DRAIN, served).await.ok();
    conducted
}

async fn take(
    State(asks): State<Arc<mpsc::Sender<Asked>>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let body = match body {
        Ok(body) => body,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}")),
    };
    let target = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let (answer, answered) = oneshot::channel();
    let is_over = || refusal(StatusCode::GONE, "the experiment is over");
    if asks.send(Asked { method: method.to_string(), target, body, answer }).is_err() {
        return is_over();
    }
    match answered.await {
        Ok(Answer { status, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match body {
                Body::Text(text) => (status, text).into_response(),
                Body::Json(value) => (status, Json(value)).into_response(),
            }
        }
        Err(_) => is_over(),
    }
}

fn refusal(status: StatusCode, problem: &str) -> Response {
    (status, Json(json!({"error": problem}))).into_response()
}
