//! How late this machine is: the longest time a task that was due had to wait for its turn.
//!
//! Around such a moment the judges see no sharper than that, times the speed of the clock; so it is measured, not assumed,
//! and every stall is an event of the history.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
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
    /// `speed` is that of the run's clock.
    pub fn start(recorder: Recorder, speed: f64, stop: CancellationToken) -> Self {
        let pulse = Self::default();
        let late_ms_max = Arc::clone(&pulse.0);
        tokio::spawn(async move {
            let beat = Duration::from_millis(BEAT_MS);
            while !stop.is_cancelled() {
                let due = Instant::now() + beat;
                tokio::time::sleep_until(due).await;
                let late_ms = Instant::now().saturating_duration_since(due).as_millis() as u64;
                late_ms_max.fetch_max(late_ms, Ordering::Relaxed);
                if late_ms > STALL_MS {
                    recorder.record(Exactness::entry(speed * late_ms as f64 / 1000.0));
                }
            }
        });
        pulse
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
        let pulse = Pulse::start(recorder.clone(), 10.0, stop.clone());
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
