//! How late this machine is: the longest time that a message over loopback had to wait for its turns.
//!
//! Around such a moment the judges see no sharper than that, times the speed of the clock; so it is measured, not assumed,
//! and every stall is an event of the history. A message passes several threads, and a machine holds up one thread and not
//! another: so there is a beat for each core, and each is a message there and back, like those that are judged.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{history::Recorder, oracle::Exactness};

/// Between two beats, in real milliseconds.
const BEAT_MS: u64 = 5;
/// A beat later than this is a stall.
const STALL_MS: u64 = 5;

/// Beats until its token is cancelled.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// `speed` is that of the run's clock. Listens on a port of loopback of its own.
    pub async fn start(recorder: Recorder, speed: f64, stop: CancellationToken) -> io::Result<Self> {
        let pulse = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut here = TcpStream::connect(address).await?;
            let (mut there, _) = listener.accept().await?;
            here.set_nodelay(true)?;
            there.set_nodelay(true)?;
            // Ends with the other end of its connection.
            tokio::spawn(async move {
                while let Ok(beat) = there.read_u8().await {
                    if there.write_u8(beat).await.is_err() {
                        break;
                    }
                }
            });
            let (recorder, stop, late_ms_max) = (recorder.clone(), stop.clone(), Arc::clone(&pulse.0));
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    let due = Instant::now() + Duration::from_millis(BEAT_MS);
                    tokio::time::sleep_until(due).await;
                    if here.write_u8(0).await.is_err() || here.read_u8().await.is_err() {
                        break;
                    }
                    let late_ms = Instant::now().saturating_duration_since(due).as_millis() as u64;
                    late_ms_max.fetch_max(late_ms, Ordering::Relaxed);
                    if late_ms > STALL_MS {
                        recorder.record(Exactness::entry(speed * late_ms as f64 / 1000.0));
                    }
                }
            });
        }
        Ok(pulse)
    }

    /// The latest beat so far, in real milliseconds.
    pub fn late_ms_max(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reveille_proto::clock::Clock;

    use super::*;
    use crate::history::{Header, History};

    #[tokio::test]
    async fn a_thread_that_is_held_up_shows_in_the_pulse() {
        let stop = CancellationToken::new();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("history.jsonl");
        let header = Header::new("test", 1, "real", "UTC");
        let recorder = Recorder::create(&path, &header, Clock::system(), TimeZone::UTC).expect("created");
        let pulse = Pulse::start(recorder.clone(), 10.0, stop.clone()).await.expect("a port");
        while pulse.late_ms_max() < 2 * BEAT_MS {
            let held_up = Instant::now();
            while held_up.elapsed() < Duration::from_millis(4 * BEAT_MS) {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
        }
        stop.cancel();
        recorder.finish().expect("written");
        let events = History::read(&path).expect("readable").events;
        assert!(events.iter().any(|event| event.number("late_s").is_some_and(|late_s| late_s >= 0.1)));
    }
}
