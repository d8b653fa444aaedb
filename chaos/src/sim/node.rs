//! A controller or an agent of the installation: it runs, it goes down when it is asked to, or it dies where it stands.

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::local::Running;

/// In a simulation a task, in a local world a process or a container.
#[derive(Debug)]
pub struct Node(Body);

#[derive(Debug)]
enum Body {
    Task { stop: CancellationToken, task: JoinHandle<anyhow::Result<()>> },
    Running(Running),
}

impl Node {
    /// Runs `work`, which ends soon after its token is cancelled.
    pub fn start<F>(work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(stop.clone()));
        Self(Body::Task { stop, task })
    }

    /// Dies now: a task drops whatever it had in hand at the await it is at, a process is killed.
    pub async fn crash(self) {
        match self.0 {
            Body::Task { task, .. } => {
                task.abort();
                // Its only word is that it was aborted.
                drop(task.await);
            }
            Body::Running(running) => running.kill().await,
        }
    }

    /// Goes down in order.
    pub async fn stopped(self) -> anyhow::Result<()> {
        match self.0 {
            Body::Task { stop, task } => {
                stop.cancel();
                task.await.context("a part of the installation panicked")?
            }
            Body::Running(running) => running.terminate().await,
        }
    }

    /// Whether it ended by itself.
    pub async fn is_over(&mut self) -> bool {
        match &mut self.0 {
            Body::Task { task, .. } => task.is_finished(),
            Body::Running(running) => running.has_ended().await,
        }
    }

    /// What runs beside this process, where it is no task of it.
    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.0 {
            Body::Task { .. } => None,
            Body::Running(running) => Some(running),
        }
    }
}

impl From<Running> for Node {
    fn from(running: Running) -> Self {
        Self(Body::Running(running))
    }
}
