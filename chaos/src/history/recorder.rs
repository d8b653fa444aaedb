//! Writes events to a file from a thread of its own. Order and time are given out together, so `t` never goes back.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
};

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::clock::Clock;

use super::{Entry, Event, Header};

/// Cheap to clone; every clone writes into the same history.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    started_at: Timestamp,
    zone: TimeZone,
    order: Mutex<Order>,
}

#[derive(Debug)]
struct Order {
    next_i: u64,
    last_t: i64,
    /// What was recorded since [`Recorder::keep`].
    kept: Option<Vec<Event>>,
    /// Taken by [`Recorder::finish`]; what comes later is not part of the history.
    open: Option<(mpsc::Sender<Event>, JoinHandle<io::Result<()>>)>,
}

impl Recorder {
    /// Begins a history at `path` with its header.
    pub fn create(path: &Path, header: &Header, clock: Clock, zone: TimeZone) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        write_line(&mut file, header)?;
        let (sender, events) = mpsc::channel::<Event>();
        let writer = std::thread::Builder::new().name("history".into()).spawn(move || {
            for event in events {
                write_line(&mut file, &event)?;
            }
            file.flush()
        })?;
        let order = Mutex::new(Order { next_i: 0, last_t: 0, kept: None, open: Some((sender, writer)) });
        Ok(Self(Arc::new(Inner { started_at: clock.now(), clock, zone, order })))
    }

    /// Adds an event and gives its index.
    pub fn record(&self, entry: Entry) -> u64 {
        let mut order = self.order();
        let now = self.0.clock.now();
        let t = i64::try_from(now.duration_since(self.0.started_at).as_nanos()).unwrap_or(i64::MAX);
        order.last_t = order.last_t.max(t);
        let event = self.stamped(entry, order.next_i, order.last_t, now);
        order.next_i += 1;
        if let Some(kept) = &mut order.kept {
            kept.push(event.clone());
        }
        if let Some((sender, _)) = &order.open {
            // The writer is gone only when the disk failed it; `finish` says so.
            drop(sender.send(event));
        }
        order.next_i - 1
    }

    /// Keeps in memory as well what is recorded from now on.
    pub fn keep(&self) {
        self.order().kept.get_or_insert_default();
    }

    /// Looks at what was kept so far. Nothing is recorded meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(self.order().kept.as_deref().unwrap_or_default())
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.0.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the history and waits until it is on disk.
    pub fn finish(&self) -> io::Result<()> {
        let open = self.order().open.take();
        let Some((sender, writer)) = open else { return Ok(()) };
        drop(sender);
        writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer of the history panicked")))
    }

    fn stamped(&self, entry: Entry, i: u64, t: i64, now: Timestamp) -> Event {
        Event {
            i,
            t,
            wall: now.to_zoned(self.0.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            node: entry.node,
            p: entry.process,
            epoch: entry.epoch,
            kind: entry.kind,
            f: entry.function,
            k: entry.key,
            v: entry.value,
            cause: entry.cause,
        }
    }
}

fn write_line(file: &mut impl Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}
