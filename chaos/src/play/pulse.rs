//! How late this machine is: the longest time a task that was due had to wait for its turn.
//!
//! What the judges see is exact only up to this, times the speed of the clock; so it is measured, not assumed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two beats, in real milliseconds.
const BEAT_MS: u64 = 5;

/// Beats until its token is cancelled.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    pub fn start(stop: CancellationToken) -> Self {
        let pulse = Self::default();
        let late_ms_max = Arc::clone(&pulse.0);
        tokio::spawn(async move {
            let beat = Duration::from_millis(BEAT_MS);
            while !stop.is_cancelled() {
                let due = Instant::now() + beat;
                tokio::time::sleep_until(due).await;
                let late_ms = Instant::now().saturating_duration_since(due).as_millis() as u64;
                late_ms_max.fetch_max(late_ms, Ordering::Relaxed);
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
    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_held_up_shows_in_the_pulse() {
        let stop = CancellationToken::new();
        let pulse = Pulse::start(stop.clone());
        while pulse.late_ms_max() < 2 * BEAT_MS {
            let held_up = Instant::now();
            while held_up.elapsed() < Duration::from_millis(4 * BEAT_MS) {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
        }
        stop.cancel();
    }
}
