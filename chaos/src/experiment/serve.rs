//! One run of an experiment behind an HTTP API, for whoever takes its steps: the stock Chaos Toolkit, say.

use std::{
    io,
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
use tokio::{
    net::TcpListener,
    sync::{mpsc::unbounded_channel, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    file::Experiment,
    run::{Answer, Asked, Body, Conducted, Desk, Keeping, Kept, RunSpec, conduct_kept, conduct_served},
};
use crate::local::{Lease, LocalSpec};

/// Asks for nothing, and renews the lease as every request does.
pub(crate) const LEASE: &str = "/v1/lease";
/// How long an answer under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct ServeSpec {
    pub experiment: Experiment,
    pub run: RunSpec,
    /// It asks nobody who they are.
    pub listen: SocketAddr,
    /// Everything the run writes; must be empty.
    pub dir: PathBuf,
}

/// Who carries out what is asked for; `false` when nobody does any more.
type Carry = Arc<dyn Fn(Asked) -> bool + Send + Sync>;

/// What every request meets.
#[derive(Clone)]
struct Counter {
    carry: Carry,
    /// Every request renews it.
    lease: Option<Lease>,
}

/// Serves one run in a simulation, whose client is taken for gone after `patience` without a request. `told` hears the address
/// when the installation stands at its first step.
///
/// # Errors
/// When the address cannot be listened on, or the experiment cannot be run.
pub async fn serve(
    spec: ServeSpec,
    patience: Duration,
    told: impl FnOnce(SocketAddr),
) -> anyhow::Result<Conducted> {
    let (asks, asked) = mpsc::channel();
    let counter = Counter { carry: Arc::new(move |asked| asks.send(asked).is_ok()), lease: None };
    let open = Open::at(spec.listen, counter).await?;
    let (ready, is_ready) = oneshot::channel();
    let (over, is_over) = oneshot::channel();
    let desk = Desk { asked, patience, ready };
    // The simulation has a runtime and a clock of its own.
    thread::Builder::new()
        .name("experiment".to_owned())
        .spawn(move || {
            let ServeSpec { experiment, run, dir, .. } = spec;
            // Nobody listens only where the server was dropped.
            over.send(conduct_served(&experiment, &dir, run, desk)).ok();
        })
        .context("failed to start a thread")?;
    if is_ready.await.is_ok() {
        told(open.address);
    }
    let conducted = is_over.await.context("the run panicked")?;
    open.close().await;
    conducted
}

/// Serves one run in a local world, until its last step was taken or nobody has renewed `lease`. `told` hears the address at once:
/// whoever gives orders renews from then on.
///
/// # Errors
/// As for [`serve`].
pub async fn serve_kept(
    spec: ServeSpec,
    local: LocalSpec,
    lease: Lease,
    told: impl FnOnce(SocketAddr),
) -> anyhow::Result<Kept> {
    let (asks, asked) = unbounded_channel();
    let carry: Carry = Arc::new(move |asked| asks.send(asked).is_ok());
    let open = Open::at(spec.listen, Counter { carry, lease: Some(lease.clone()) }).await?;
    let (over, is_over) = oneshot::channel();
    // Whose processes the kernel ends with the thread that has started them.
    thread::Builder::new()
        .name("world".to_owned())
        .spawn(move || {
            let ServeSpec { experiment, run, dir, .. } = spec;
            let keeping = Keeping { local, lease, asked };
            over.send(conduct_kept(&experiment, &dir, run, keeping)).ok();
        })
        .context("failed to start a thread")?;
    told(open.address);
    let kept = is_over.await.context("the run panicked")?;
    open.close().await;
    kept
}

/// The API on its socket.
struct Open {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

impl Open {
    async fn at(listen: SocketAddr, counter: Counter) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| format!("failed to listen on {listen}"))?;
        let address = listener.local_addr().context("failed to read the address")?;
        let stop = CancellationToken::new();
        let served = axum::serve(listener, Router::new().fallback(take).with_state(counter));
        let served =
            tokio::spawn(served.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
        Ok(Self { address, stop, served })
    }

    async fn close(self) {
        self.stop.cancel();
        timeout(DRAIN, self.served).await.ok();
    }
}

async fn take(State(counter): State<Counter>, method: Method, uri: Uri, body: Bytes) -> Response {
    if let Some(lease) = &counter.lease {
        lease.renew();
        if uri.path() == LEASE {
            return Json(json!({"lease_s": lease.length().as_secs_f64()})).into_response();
        }
    }
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let body = match body {
        Ok(body) => body,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}")),
    };
    let target = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let (answer, answered) = oneshot::channel();
    let is_over = || refusal(StatusCode::GONE, "the experiment is over");
    if !(counter.carry)(Asked { method: method.to_string(), target, body, answer }) {
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
