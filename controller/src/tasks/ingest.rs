//! Reads the access logs: files once, followed files as they grow. Every batch is committed with its position.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{Task, TaskError};
use crate::{
    app::Shared,
    logs::{Batch, Counts, Follower, LogsError, Miner, Position, expand, read_source},
};

/// Batches read ahead of the store.
const BATCHES_AHEAD_MAX: usize = 4;

/// A follower and the log it follows.
type Followed = (String, Follower);

/// Reads what is new in every configured source.
#[derive(Debug)]
pub struct Ingest {
    shared: Shared,
    miner: Arc<Miner>,
    followers: Vec<Followed>,
    /// Whether everything there was at the start has been read.
    caught_up: bool,
}

impl Ingest {
    pub fn new(shared: Shared) -> Result<Self, TaskError> {
        let miner = Arc::new(Miner::new(&shared.config.logs)?);
        Ok(Self { shared, miner, followers: Vec::new(), caught_up: false })
    }

    /// Runs a blocking reader and folds its batches into the store as they come. An error of the store stops the
    /// reader; what was not committed is read again next time.
    async fn absorb<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn FnMut(Batch) -> ControlFlow<()>) -> T + Send + 'static,
    ) -> Result<T, TaskError> {
        let (batches, mut ahead) = mpsc::channel::<Batch>(BATCHES_AHEAD_MAX);
        let reader = tokio::task::spawn_blocking(move || {
            read(&mut |batch| match batches.blocking_send(batch) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        });
        let gap = SignedDuration::from_secs(self.shared.config.visits.idle_gap_s.into());
        let mut kept = Ok(());
        while let Some(batch) = ahead.recv().await {
            self.note(&batch);
            kept = self.shared.store.visits_absorb(&batch, gap, self.shared.clock.now()).await;
            if kept.is_err() {
                break;
            }
        }
        drop(ahead);
        let done = reader.await?;
        kept?;
        Ok(done)
    }

    fn note(&self, batch: &Batch) {
        for (kind, count) in batch.counts.entries() {
            self.shared.metrics.ingested(&kind, count);
        }
        for sample in &batch.samples {
            warn!(file = sample.file, line = sample.line, reason = %sample.reason, "a line of a log was left out");
        }
    }

    async fn read_once(&self, source: &crate::logs::SourceConfig, path: &str) -> Result<Counts, TaskError> {
        let from = self.shared.store.source_position(path).await?;
        let (miner, source, path) = (self.miner.clone(), source.clone(), path.to_owned());
        let counts = self.absorb(move |sink| read_source(&miner, &source, &path, from, sink)).await??;
        Ok(counts)
    }

    async fn follow(&mut self, source: &crate::logs::SourceConfig, path: &str) -> Result<(), TaskError> {
        let known = self.followers.iter().position(|(followed, _)| followed == path);
        let mut follower = match known {
            Some(at) => self.followers.swap_remove(at).1,
            None => {
                let from: Option<Position> = self.shared.store.source_position(path).await?;
                Follower::new(self.miner.clone(), source, path, from)
            }
        };
        // A follower that is not put back is made again from what the store holds.
        let (follower, read) = self
            .absorb(move |sink| {
                let read = follower.poll(sink);
                (follower, read)
            })
            .await?;
        read?;
        self.followers.push((path.to_owned(), follower));
        Ok(())
    }
}

impl Task for Ingest {
    const NAME: &'static str = "ingest";

    fn period(&self) -> Duration {
        Duration::from_millis(self.shared.config.visits.poll_interval_ms.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let sources = self.shared.config.logs.sources.clone();
        let mut failed: Option<LogsError> = None;
        for source in &sources {
            for path in expand(source)? {
                let read = if source.follow {
                    self.follow(source, &path).await
                } else {
                    self.read_once(source, &path).await.map(|counts| {
                        if counts.lines > 0 {
                            info!(file = path, lines = counts.lines, "log read");
                        }
                    })
                };
                // One bad file does not keep the others from being read.
                match read {
                    Ok(()) => {}
                    Err(TaskError::Logs(error)) => failed = Some(error),
                    Err(other) => return Err(other),
                }
            }
        }
        if !self.caught_up {
            self.caught_up = true;
            self.shared.signals.learn.notify_one();
        }
        failed.map_or(Ok(String::new()), |error| Err(error.into()))
    }
}
