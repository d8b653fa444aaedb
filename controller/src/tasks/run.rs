//! Runs a task on its timer and on its signal until the controller goes down.

use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{app::Shared, logs::LogsError, store::StoreError, tls::TlsError};

/// Why an activation did not get through. The next one starts afresh.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error("the certificate in service stays")]
    Tls(#[from] TlsError),
    #[error("bad configuration: {0}")]
    Config(String),
    #[error("a worker thread of the task died")]
    Worker(#[from] tokio::task::JoinError),
    #[error("the database did not answer in time about {what}")]
    Slow { what: &'static str },
    #[error("the thread that fits weights could not be started, or died")]
    Thread,
}

/// One loop of the controller.
pub trait Task: Send {
    const NAME: &'static str;

    /// Whether only the controller that leads does it.
    const LEADER_ONLY: bool = false;

    /// Time between activations without a signal.
    fn period(&self) -> Duration;

    /// Looks at the world and does what is due. Returns what it did in words; empty when there was nothing.
    fn activate(&mut self) -> impl Future<Output = Result<String, TaskError>> + Send;
}

/// Activates `task` until `shutdown`; an activation under way is finished first.
pub async fn run<T: Task>(
    mut task: T,
    shared: Shared,
    signal: fn(&Shared) -> Option<&Notify>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        if T::LEADER_ONLY && !shared.lead.is_held(shared.clock.now()) {
            wait(&shared, signal, FOLLOWER_LOOKS_EVERY, &shutdown).await;
            continue;
        }
        let activated = task.activate().await;
        shared.metrics.task_activated(T::NAME, activated.is_err());
        match activated {
            Ok(done) if done.is_empty() => {}
            Ok(done) => debug!(task = T::NAME, done),
            Err(problem) => {
                let problem = anyhow::Error::new(problem);
                error!(task = T::NAME, error = format!("{problem:#}"), "a task failed; it is tried again");
                // Whatever signals it, or is overdue: who is refused at once would ask again at once.
                shutdown.run_until_cancelled(shared.clock.sleep(AFTER_FAILURE)).await;
            }
        }
        wait(&shared, signal, task.period(), &shutdown).await;
    }
}

/// Between a failed activation and the next, at least.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// Whoever does not lead looks again after this; the new leader is signalled besides.
const FOLLOWER_LOOKS_EVERY: Duration = Duration::from_secs(5);

/// Until the signal, the end of the time, or the shutdown.
async fn wait(
    shared: &Shared,
    signal: fn(&Shared) -> Option<&Notify>,
    at_most: Duration,
    shutdown: &CancellationToken,
) {
    let signalled = async {
        match signal(shared) {
            Some(signal) => signal.notified().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        () = shared.clock.sleep(at_most) => {}
        () = signalled => {}
    }
}
