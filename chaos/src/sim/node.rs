//! A controller or an agent of the installation: it runs, it goes down when it is asked to, or it dies where it stands.

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub struct Node {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Node {
    /// Runs `work`, which ends soon after its token is cancelled.
    pub fn start<F>(work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(stop.clone()));
        Self { stop, task }
    }

    /// Dies now: whatever it had in hand is dropped at the await it is at.
    pub async fn crash(self) {
        self.task.abort();
        // Its only word is that it was aborted.
        drop(self.task.await);
    }

    /// Goes down in order.
    pub async fn stopped(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await.context("a part of the installation panicked")?
    }

    /// Whether it ended by itself.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}
