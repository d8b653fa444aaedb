//! Who is told of wakes: a receiver of notifications that may take its time, or not be there.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Request, Response};
use reveille_controller::{
    config::WebhookConfig,
    deliver::Carrier,
    notify::{Event, Payload, Said},
};
use reveille_proto::clock::Clock;
use serde_json::json;

use crate::history::{Entry, Function, Key, Kind, Recorder};

/// What it is called, in the configuration and in the history.
pub(super) const NAME: &str = "receiver";
/// Proves to nobody but this receiver who sends.
const SECRET: &str = "whsec_c2ltdWxhdGVkLXJlY2VpdmVyLW9mLXRoZS1zaW0h";
const SECRET_FILE: &str = "receiver.secret";

/// Cheap to clone; every clone is the same.
#[derive(Clone)]
pub(super) struct Receiver {
    state: Arc<Mutex<State>>,
    recorder: Recorder,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    /// What each delivery takes.
    delay: Duration,
    is_away: bool,
    /// Deliveries that took longer, or whose sender did not wait so long.
    held: u64,
    /// Deliveries that were not taken.
    withheld: u64,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("state", &*self.state()).finish_non_exhaustive()
    }
}

impl Receiver {
    pub(super) fn new(recorder: Recorder, clock: Clock) -> Self {
        Self { state: Arc::default(), recorder, clock }
    }

    /// What a controller is told of it.
    ///
    /// # Errors
    /// When the file with its secret cannot be written.
    pub(super) fn webhook(dir: &Path) -> std::io::Result<WebhookConfig> {
        let secret_file: PathBuf = dir.join(SECRET_FILE);
        std::fs::write(&secret_file, SECRET)?;
        let url = format!("http://{NAME}/wakes");
        let (events, instances) = (Event::ALL.into(), Vec::new());
        Ok(WebhookConfig { name: NAME.into(), url, secret_file, events, instances })
    }

    /// From now on each delivery takes so long.
    pub(super) fn slow_down(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// It is there, or not.
    pub(super) fn go_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Deliveries it held so far, and those it did not take.
    pub(super) fn met(&self) -> (u64, u64) {
        let state = self.state();
        (state.held, state.withheld)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has this one.
    fn took(&self, body: &[u8]) -> Result<(), String> {
        let payload: Payload = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let key = match &payload.said {
            Said::InstanceReady(wake) | Said::WakeFailed(wake) => Key {
                wake: Some(wake.wake_id.to_string()),
                instance: Some(wake.instance_id.to_string()),
                ..Key::default()
            },
            Said::BudgetSpent(_) => Key::default(),
        };
        let behind_s = behind(payload.timestamp, self.clock.now()).as_secs_f64();
        let entry = Entry::new(NAME, Kind::Ok, Function::Notified, key);
        self.recorder.record(entry.value(json!({"behind_s": behind_s})));
        Ok(())
    }

    async fn answered(&self, request: &Request) -> Result<Response, String> {
        let delay = {
            let mut state = self.state();
            if state.is_away {
                state.withheld += 1;
                return Err("connection refused".to_owned());
            }
            state.held += u64::from(state.delay > Duration::ZERO);
            state.delay
        };
        tokio::time::sleep(delay).await;
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let status = if self.took(body).is_ok() { 204 } else { 400 };
        let answer = http::Response::builder().status(status).body(reqwest::Body::default());
        Ok(answer.map_err(|error| error.to_string())?.into())
    }
}

/// How long ago it happened.
fn behind(at: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(at).max(SignedDuration::ZERO)
}

impl Carrier for Receiver {
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Response, String>> {
        async move {
            let patience = request.timeout().copied().unwrap_or(Duration::MAX);
            let answered = tokio::time::timeout(patience, self.answered(&request)).await;
            answered.map_err(|_| "operation timed out".to_owned())?
        }
        .boxed()
    }
}
