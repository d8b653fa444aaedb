//! Where time comes from. Production reads the system's clock; the proving ground runs the same code faster.
//!
//! It lives beside the contract because both ends need one and neither may know the other.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A source of wall time and of waiting. Cheap to clone; every clone reads the same time.
#[derive(Clone)]
pub struct Clock(Arc<Kind>);

enum Kind {
    System,
    Scaled { start: Timestamp, origin: Instant, speed: f64 },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Kind::System))
    }

    /// Reads `start` now and runs `speed` times as fast as the runtime's own time (which a test may pause).
    ///
    /// # Panics
    /// When `speed` is not a positive finite number.
    pub fn scaled(start: Timestamp, speed: f64) -> Self {
        assert!(speed.is_finite() && speed > 0.0, "speed must be positive, not {speed}");
        Self(Arc::new(Kind::Scaled { start, origin: Instant::now(), speed }))
    }

    /// The time it is on this clock.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Kind::System => system_now(),
            Kind::Scaled { start, origin, speed } => {
                let elapsed = SignedDuration::from_secs_f64(origin.elapsed().as_secs_f64() * speed);
                start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// How many of this clock's seconds pass in one of the runtime's.
    pub fn speed(&self) -> f64 {
        match &*self.0 {
            Kind::System => 1.0,
            Kind::Scaled { speed, .. } => *speed,
        }
    }

    /// Waits for `duration` of this clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.to_runtime(duration)).await;
    }

    /// Waits until this clock reads `at`; returns at once when it already does.
    ///
    /// A step of the system's clock is noticed within a minute, so a laptop that slept does not oversleep.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.duration_since(self.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            self.sleep(left.unsigned_abs().min(Duration::from_secs(60))).await;
        }
    }

    /// Runs `work` for at most `duration` of this clock; `None` when it took longer.
    pub async fn timeout<F: Future>(&self, duration: Duration, work: F) -> Option<F::Output> {
        tokio::time::timeout(self.to_runtime(duration), work).await.ok()
    }

    fn to_runtime(&self, duration: Duration) -> Duration {
        match &*self.0 {
            Kind::System => duration,
            Kind::Scaled { speed, .. } => duration.div_f64(*speed),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::System => f.write_str("Clock::System"),
            Kind::Scaled { speed, .. } => write!(f, "Clock::Scaled({speed}x)"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().expect("valid")
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_at_its_speed() {
        let clock = Clock::scaled(start(), 3600.0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(clock.now().duration_since(start()).as_secs(), 7200);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_scaled_too() {
        let clock = Clock::scaled(start(), 60.0);
        let before = Instant::now();
        clock.sleep_until(start() + SignedDuration::from_mins(10)).await;
        let took = before.elapsed();
        assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&took), "{took:?}");
        assert!(clock.timeout(Duration::from_secs(60), std::future::pending::<()>()).await.is_none());
    }
}
