//! Appends from many tasks, several at a time with one wait for the disk, without holding up the runtime.

use jiff::Timestamp;
use reveille_proto::{
    points::{Points, Step},
    waits::Waits,
};
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

struct Append {
    line: Vec<u8>,
    sync: bool,
    now: Timestamp,
    /// Done when it is written.
    then: Box<dyn FnOnce() + Send>,
    done: oneshot::Sender<Result<(), JournalError>>,
}

impl Journal {
    /// Starts the writer. It ends, and gives the file free, when the last `Journal` is dropped.
    pub fn start(file: JournalFile, points: Points, waits: Waits) -> (Self, JoinHandle<()>) {
        let (appends, waiting) = mpsc::channel(WAITING_LINES_MAX);
        (Self { appends, points }, tokio::spawn(write(file, waiting, waits)))
    }

    /// Appends one record; returns when it is written, and on disk if it [must be](Record::must_sync).
    pub async fn append(&self, record: &Record, now: Timestamp) -> Result<(), JournalError> {
        self.append_then(record, now, || ()).await
    }

    /// The same, and does `then` as soon as it is written: what is done so is done in the order of the journal, which the
    /// tasks that append do not go on in.
    pub async fn append_then(
        &self,
        record: &Record,
        now: Timestamp,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        line(&mut bytes, record);
        let (points, name) = (self.points.clone(), record.name());
        let (wake, instance) = (record.wake(), record.instance().cloned());
        let then = Box::new(move || {
            points.pass(Step::Recorded, name, wake, instance.as_ref());
            then();
        });
        let (done, written) = oneshot::channel();
        let append = Append { line: bytes, sync: record.must_sync(), now, then, done };
        self.appends.send(append).await.map_err(|_| JournalError::Closed)?;
        written.await.unwrap_or(Err(JournalError::Closed))
    }
}

async fn write(mut file: JournalFile, mut waiting: mpsc::Receiver<Append>, waits: Waits) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, WAITING_LINES_MAX).await > 0 {
        let lines = batch.iter().flat_map(|append| append.line.iter().copied()).collect::<Vec<u8>>();
        let sync = batch.iter().any(|append| append.sync);
        let now = batch.iter().map(|append| append.now).max().unwrap_or_default();
        let written = waits.done(move || {
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
            if result.is_ok() {
                (append.then)();
            }
            // Whoever no longer waits does not need to know.
            let _ = append.done.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::execute::{
        Order,
        harness::{at, order},
    };

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_follows_from_records_is_done_in_the_order_of_the_journal() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, _) = JournalFile::open(dir.path(), "id", at(0)).expect("opened");
        let (journal, writer) = Journal::start(file, Points::default(), Waits::default());
        let done = Arc::new(Mutex::new(Vec::new()));
        let appends = (1..=200).map(|attempt| {
            let (journal, done) = (journal.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let record = Record::Received { order: Order { epoch: 7, ..order(1, attempt) }, at: at(0) };
                let then = move || done.lock().expect("whole").push(attempt);
                journal.append_then(&record, at(0), then).await.expect("written");
            })
        });
        futures::future::join_all(appends.collect::<Vec<_>>()).await;
        drop(journal);
        writer.await.expect("ends");
        let text = std::fs::read_to_string(dir.path().join("journal.jsonl")).expect("a journal");
        let attempt_of = |line: &str| {
            let record: serde_json::Value = serde_json::from_str(line).ok()?;
            record.pointer("/order/attempt").or_else(|| record.get("attempt"))?.as_u64()
        };
        let written: Vec<u64> = text.lines().filter_map(attempt_of).collect();
        let done: Vec<u64> = done.lock().expect("whole").iter().map(|attempt| u64::from(*attempt)).collect();
        assert_eq!(written.len(), 200, "{text}");
        assert_eq!(done, written);
    }
}
