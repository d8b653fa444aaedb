//! Reads the access logs: files once, followed files as they grow. Every batch is committed with its position.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    /// What is wrong with each source at present, so that it is said once and not at every look.
    troubles: BTreeMap<String, String>,
    /// Followed logs that are not there.
    absent: BTreeSet<String>,
}

impl Ingest {
    pub fn new(shared: Shared) -> Result<Self, TaskError> {
        let miner = Miner::new(&shared.config.logs)?;
        Ok(Self {
            shared,
            miner,
            followers: BTreeMap::new(),
            read: BTreeMap::new(),
            caught_up: false,
            troubles: BTreeMap::new(),
            absent: BTreeSet::new(),
        })
    }

    /// Runs a blocking reader and folds its batches into the store as they come. An error of the store stops the
    /// reader; what was not committed is read again next time.
    async fn absorb<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn FnMut(Batch) -> ControlFlow<()>) -> T + Send + 'static,
    ) -> Result<T, TaskError> {
        if self.shared.waits.are_in_place() {
            // Nobody takes batches while this thread reads.
            let mut batches = Vec::new();
            let done = read(&mut |batch| {
                batches.push(batch);
                ControlFlow::Continue(())
            });
            for batch in &batches {
                self.keep(batch).await?;
            }
            return Ok(done);
        }
        let (batches, mut ahead) = mpsc::channel::<Batch>(BATCHES_AHEAD_MAX);
        let reader = tokio::task::spawn_blocking(move || {
            read(&mut |batch| match batches.blocking_send(batch) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        });
        let mut kept = Ok(());
        while let Some(batch) = ahead.recv().await {
            kept = self.keep(&batch).await;
            if kept.is_err() {
                break;
            }
        }
        drop(ahead);
        let done = reader.await?;
        kept?;
        Ok(done)
    }

    /// Folds one batch into the store.
    async fn keep(&self, batch: &Batch) -> Result<(), TaskError> {
        self.note(batch);
        let gap = SignedDuration::from_secs(self.shared.config.visits.idle_gap_s.into());
        self.shared.store.visits_absorb(batch, gap, self.shared.clock.now()).await?;
        let refused = self.shared.saw(&batch.sightings);
        if refused > 0 {
            warn!(source = batch.source, sightings = refused, "the log is of a time that has not come yet");
        }
        Ok(())
    }

    fn note(&self, batch: &Batch) {
        for (kind, count) in batch.counts.entries() {
            self.shared.metrics.ingest_lines(&kind, count);
        }
        for sample in &batch.samples {
            warn!(file = sample.file, line = sample.line, reason = %sample.reason, "a line of a log was left out");
        }
    }

    /// Says what is new about a source that cannot be read; `true` when there is trouble.
    fn trouble(&mut self, source: &str, error: Option<LogsError>) -> bool {
        let Some(error) = error else {
            if self.troubles.remove(source).is_some() {
                info!(source, "the log can be read again");
            }
            return false;
        };
        let said = format!("{:#}", anyhow::Error::new(error));
        if self.troubles.get(source) != Some(&said) {
            warn!(source, error = said, "a log cannot be read; it is tried again");
            self.troubles.insert(source.to_owned(), said);
        }
        true
    }

    /// Reads the files of a source that were written to since they were last read. `true` when one could not be.
    async fn read_once(&mut self, source: &SourceConfig) -> Result<bool, TaskError> {
        let files = match source_files(source) {
            Ok(files) => files,
            Err(error) => return Ok(self.trouble(&source.path, Some(error))),
        };
        let mut failed = self.trouble(&source.path, None);
        for file in files {
            let stamp = stamp(&file);
            if stamp.is_some() && self.read.get(&file) == stamp.as_ref() {
                continue;
            }
            let name = file.display().to_string();
            // One bad file does not keep the others from being read.
            let error = match self.read_file(source, file.clone()).await {
                Ok(counts) => {
                    if counts.lines > 0 {
                        info!(file = name, lines = counts.lines, rejects = counts.rejected(), "log read");
                    }
                    if let Some(stamp) = stamp {
                        self.read.insert(file, stamp);
                    }
                    None
                }
                Err(TaskError::Logs(error)) => Some(error),
                Err(other) => return Err(other),
            };
            failed |= self.trouble(&name, error);
        }
        Ok(failed)
    }

    async fn read_file(&self, source: &SourceConfig, file: PathBuf) -> Result<Counts, TaskError> {
        let from = self.shared.store.source_position(&file.to_string_lossy()).await?;
        let (miner, source) = (self.miner.clone(), source.clone());
        let read = self.absorb(move |sink| read_source(&miner, &source, &file, from.as_ref(), sink)).await?;
        Ok(read?)
    }

    /// Reads what a followed log has grown by. `true` when it could not be read.
    async fn follow(&mut self, source: &SourceConfig) -> Result<bool, TaskError> {
        let there = Path::new(&source.path).exists();
        if !there && !self.absent.contains(&source.path) {
            warn!(source = source.path, "a followed log is not there; waiting for it");
            self.absent.insert(source.path.clone());
        } else if there && self.absent.remove(&source.path) {
            info!(source = source.path, "a followed log has appeared");
        }
        // A follower that is not put back below is made again from what the store holds.
        let follower = if let Some(follower) = self.followers.remove(&source.path) {
            Ok(follower)
        } else {
            let from = self.shared.store.source_position(&source.path).await?;
            Follower::new(&self.miner, source, from)
        };
        let mut follower = match follower {
            Ok(follower) => follower,
            Err(error) => return Ok(self.trouble(&source.path, Some(error))),
        };
        let (follower, read) = self
            .absorb(move |sink| {
                let read = follower.poll(sink);
                (follower, read)
            })
            .await?;
        if read.is_ok() {
            self.followers.insert(source.path.clone(), follower);
        }
        Ok(self.trouble(&source.path, read.err()))
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    Some((about.len(), about.modified().ok()))
}

impl Task for Ingest {
    const NAME: &'static str = "ingest";
    const LEADER_ONLY: bool = true;

    fn period(&self) -> Duration {
        Duration::from_millis(self.shared.config.visits.poll_interval_ms.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let started_at = self.shared.clock.now();
        let sources = self.shared.config.logs.sources.clone();
        let mut failed = false;
        for source in &sources {
            failed |= if source.follow { self.follow(source).await? } else { self.read_once(source).await? };
        }
        if !self.caught_up {
            self.caught_up = true;
            self.shared.signals.learn.notify_one();
        }
        if !failed {
            self.shared.logs_read(started_at);
        }
        Ok(String::new())
    }
}
