//! Appends from many tasks, several at a time with one wait for the disk, without holding up the runtime.

use jiff::Timestamp;
use reveille_proto::points::{Points, Step};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use tracing::warn;

use super::{JournalError, JournalFile, file::line};
use crate::chain::Chain;
use crate::execute::Record;

/// Lines that may wait for the disk; whoever appends beyond waits too.
const WAITING_LINES_MAX: usize = 1024;

/// The way to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    appends: mpsc::Sender<Append>,
    points: Points,
}

#[derive(Debug)]
struct Append {
    line: Vec<u8>,
    sync: bool,
    now: Timestamp,
    done: oneshot::Sender<Result<(), JournalError>>,
}

impl Journal {
    /// Starts the writer. It ends, and gives the file free, when the last `Journal` is dropped.
    pub fn start(file: JournalFile, points: Points) -> (Self, JoinHandle<()>) {
        let (appends, waiting) = mpsc::channel(WAITING_LINES_MAX);
        (Self { appends, points }, tokio::spawn(write(file, waiting)))
    }

    /// Appends one record; returns when it is written, and on disk if it [must be](Record::must_sync).
    pub async fn append(&self, record: &Record, now: Timestamp) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        line(&mut bytes, record);
        let (done, written) = oneshot::channel();
        let append = Append { line: bytes, sync: record.must_sync(), now, done };
        self.appends.send(append).await.map_err(|_| JournalError::Closed)?;
        let written = written.await.unwrap_or(Err(JournalError::Closed));
        if written.is_ok() {
            self.points.pass(Step::Recorded, record.name(), record.wake(), record.instance());
        }
        written
    }
}

async fn write(mut file: JournalFile, mut waiting: mpsc::Receiver<Append>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, WAITING_LINES_MAX).await > 0 {
        let lines = batch.iter().flat_map(|append| append.line.iter().copied()).collect::<Vec<u8>>();
        let sync = batch.iter().any(|append| append.sync);
        let now = batch.iter().map(|append| append.now).max().unwrap_or_default();
        let written = tokio::task::spawn_blocking(move || {
            let result = file.append(&lines, sync);
            if let Err(error) = file.compact_if_large(now) {
                warn!(
                    error = %Chain(&error),
                    "the journal cannot be compacted and grows on"
                );
            }
            (file, result)
        });
        let Ok((back, result)) = written.await else { return };
        file = back;
        for append in batch.drain(..) {
            // Whoever no longer waits does not need to know.
            let _ = append.done.send(result.clone());
        }
    }
}
