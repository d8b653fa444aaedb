//! Reads the access logs: files once, followed files as they grow. Every batch is committed with its position.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{Task, TaskError};
use crate::{
    app::Shared,
    logs::{Batch, Counts, Follower, LogsError, Miner, SourceConfig, read_source, source_files},
};

/// Batches read ahead of the store.
const BATCHES_AHEAD_MAX: usize = 4;

/// What tells that a file was written to: length and time of the last change.
type Stamp = (u64, Option<SystemTime>);

/// Reads what is new in every configured source.
#[derive(Debug)]
pub struct Ingest {
    shared: Shared,
    miner: Miner,
    followers: BTreeMap<String, Follower>,
    /// Files read to their end, as they were then.
    read: BTreeMap<PathBuf, Stamp>,
    /// Whether everything there was at the start has been read.
    caught_up: bool,
}

impl Ingest {
    pub fn new(shared: Shared) -> Result<Self, TaskError> {
        let miner = Miner::new(&shared.config.logs)?;
        Ok(Self { shared, miner, followers: BTreeMap::new(), read: BTreeMap::new(), caught_up: false })
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
            self.shared.metrics.ingest_lines(&kind, count);
        }
        for sample in &batch.samples {
            warn!(file = sample.file, line = sample.line, reason = %sample.reason, "a line of a log was left out");
        }
    }

    /// Reads the files of a source that were written to since they were last read.
    async fn read_once(&mut self, source: &SourceConfig) -> Result<(), TaskError> {
        let mut failed = None;
        for file in source_files(source)? {
            let stamp = stamp(&file);
            if stamp.is_some() && self.read.get(&file) == stamp.as_ref() {
                continue;
            }
            match self.read_file(source, file.clone()).await {
                Ok(counts) => {
                    if counts.lines > 0 {
                        info!(file = %file.display(), lines = counts.lines, rejects = counts.rejected(), "log read");
                    }
                    if let Some(stamp) = stamp {
                        self.read.insert(file, stamp);
                    }
                }
                // One bad file does not keep the others from being read.
                Err(TaskError::Logs(error)) => failed = Some(error),
                Err(other) => return Err(other),
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn read_file(&self, source: &SourceConfig, file: PathBuf) -> Result<Counts, TaskError> {
        let from = self.shared.store.source_position(&file.to_string_lossy()).await?;
        let (miner, source) = (self.miner.clone(), source.clone());
        let read = self.absorb(move |sink| read_source(&miner, &source, &file, from.as_ref(), sink)).await?;
        Ok(read?)
    }

    async fn follow(&mut self, source: &SourceConfig) -> Result<(), TaskError> {
        // A follower that is not put back below is made again from what the store holds.
        let mut follower = if let Some(follower) = self.followers.remove(&source.path) {
            follower
        } else {
            let from = self.shared.store.source_position(&source.path).await?;
            Follower::new(&self.miner, source, from)?
        };
        let (follower, read) = self
            .absorb(move |sink| {
                let read = follower.poll(sink);
                (follower, read)
            })
            .await?;
        read?;
        self.followers.insert(source.path.clone(), follower);
        Ok(())
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    Some((about.len(), about.modified().ok()))
}

impl Task for Ingest {
    const NAME: &'static str = "ingest";

    fn period(&self) -> Duration {
        Duration::from_millis(self.shared.config.visits.poll_interval_ms.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let started_at = self.shared.clock.now();
        let sources = self.shared.config.logs.sources.clone();
        let mut failed: Option<LogsError> = None;
        for source in &sources {
            let read = if source.follow { self.follow(source).await } else { self.read_once(source).await };
            match read {
                Ok(()) => {}
                Err(TaskError::Logs(error)) => failed = Some(error),
                Err(other) => return Err(other),
            }
        }
        if !self.caught_up {
            self.caught_up = true;
            self.shared.signals.learn.notify_one();
        }
        if failed.is_none() {
            self.shared.logs_read(started_at);
        }
        failed.map_or(Ok(String::new()), |error| Err(error.into()))
    }
}
