//! The lease as the database has it, read ten times a second by a watcher beside it, with the database's own clock.

use std::{io::SeekFrom, path::PathBuf, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::watch,
    task::JoinHandle,
};

use crate::history::{Entry, Function, Key, Kind, Recorder};

/// What the watcher asks again and again. The letter tells its answers from whatever else its client prints.
pub(super) const QUESTION: &str = "SELECT 'L', CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), epoch, beat, \
                                   holder FROM leases WHERE name = 'lead' \\watch 0.1\n";
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The lease at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// By the database's clock.
    pub(super) at: Timestamp,
    /// When it was first seen like that.
    pub(super) since: Timestamp,
    pub(super) epoch: u64,
    pub(super) beat: u64,
    /// Empty when its holder has let go.
    pub(super) holder: String,
}

impl Seen {
    /// Reads one answer; anything else is `None`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix("L|")?.split('|');
        let at = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
        let (epoch, beat) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { at, since: at, epoch, beat, holder: parts.next()?.to_owned() })
    }

    fn is_same_state(&self, other: &Self) -> bool {
        (self.epoch, self.beat, &self.holder) == (other.epoch, other.beat, &other.holder)
    }
}

/// Follows what the watcher writes. Dropping it stops that.
#[derive(Debug)]
pub(super) struct LeaseWatch {
    latest: watch::Receiver<Option<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for LeaseWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LeaseWatch {
    pub(super) fn follow(file: PathBuf, recorder: Recorder) -> Self {
        let (sender, latest) = watch::channel(None);
        let task = tokio::spawn(async move {
            if let Err(error) = follow(file, &recorder, &sender).await {
                tracing::error!(error = format!("{error:#}"), "the lease is no longer watched");
            }
        });
        Self { latest, task }
    }

    pub(super) fn latest(&self) -> Option<Seen> {
        self.latest.borrow().clone()
    }

    /// The lease as soon as it is like that.
    pub(super) async fn when(&self, is_it: impl Fn(&Seen) -> bool) -> anyhow::Result<Seen> {
        let mut latest = self.latest.clone();
        let seen = latest.wait_for(|seen| seen.as_ref().is_some_and(&is_it)).await;
        seen.context("the lease is no longer watched")?.clone().context("the lease was seen")
    }
}

async fn follow(
    file: PathBuf,
    recorder: &Recorder,
    sender: &watch::Sender<Option<Seen>>,
) -> anyhow::Result<()> {
    let mut file = File::open(&file).await.context("the watcher has not written anything")?;
    file.seek(SeekFrom::Start(0)).await?;
    let (mut text, mut last): (String, Option<Seen>) = (String::new(), None);
    loop {
        if file.read_to_string(&mut text).await? == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        while let Some((line, rest)) = text.split_once('\n') {
            if let Some(mut seen) = Seen::parse(line) {
                match entry(last.as_ref(), &seen) {
                    Some(entry) => {
                        recorder.record(entry);
                    }
                    None => seen.since = last.as_ref().map_or(seen.since, |last| last.since),
                }
                last = Some(seen);
            }
            text = rest.to_owned();
        }
        sender.send_replace(last.clone());
    }
}

/// What a look adds to the history: nothing where the lease stands as it stood.
fn entry(before: Option<&Seen>, seen: &Seen) -> Option<Entry> {
    if before.is_some_and(|before| before.is_same_state(seen)) {
        return None;
    }
    let function = if seen.holder.is_empty() {
        Function::LeaseLost
    } else if before.is_some_and(|before| before.epoch == seen.epoch) {
        Function::LeaseRenew
    } else {
        Function::LeaseAcquire
    };
    let value = json!({
        "epoch": seen.epoch,
        "beat": seen.beat,
        "seen_ms": seen.at.as_millisecond(),
        // It has changed since then.
        "before_ms": before.unwrap_or(seen).at.as_millisecond(),
    });
    Some(Entry::new(seen.holder.as_str(), Kind::Ok, function, Key::default()).value(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_only_changes_are_events() {
        let seen = |line| Seen::parse(line).expect("an answer");
        let first = seen("L|1772000000000|3|7|controller-9");
        assert_eq!((first.epoch, first.beat, first.holder.as_str()), (3, 7, "controller-9"));
        assert_eq!(Seen::parse("Sat 28 Nov 2026 (every 0.1s)"), None);
        assert_eq!(Seen::parse("L|x|3|7|c"), None);
        let later = seen("L|1772000000100|3|7|controller-9");
        assert!(entry(Some(&first), &later).is_none());
        let renewed = seen("L|1772000000200|3|8|controller-9");
        let entry = |before, now| entry(Some(before), now).expect("a change");
        let told = entry(&later, &renewed);
        assert_eq!(
            (told.function, &told.value["before_ms"]),
            (Function::LeaseRenew, &1_772_000_000_100_i64.into())
        );
        let taken = seen("L|1772000005000|4|0|controller-10");
        assert_eq!(entry(&renewed, &taken).function, Function::LeaseAcquire);
        let free = seen("L|1772000006000|4|1|");
        assert_eq!(entry(&taken, &free).function, Function::LeaseLost);
    }
}
