//! Where time comes from. Production reads the system's clock; the proving ground runs the same code faster.
//!
//! It lives beside the contract because both ends need one and neither may know the other.

mod hands;

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use self::hands::Hands;

/// A source of wall time and of waiting. Cheap to clone; every clone reads the same time.
#[derive(Clone)]
pub struct Clock(Arc<Kind>);

enum Kind {
    System,
    Scaled { start: Timestamp, origin: Instant, speed: f64, hands: Hands },
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
        Self(Arc::new(Kind::Scaled { start, origin: Instant::now(), speed, hands: Hands::default() }))
    }

    /// The clock of one machine: it reads as this one does, but for what becomes of `hands`. The system's clock has none that
    /// anybody could move, and stays as it is.
    #[must_use]
    pub fn with(&self, hands: Hands) -> Self {
        match &*self.0 {
            Kind::System => self.clone(),
            Kind::Scaled { start, origin, speed, hands: _ } => {
                let (start, origin, speed) = (*start, *origin, *speed);
                Self(Arc::new(Kind::Scaled { start, origin, speed, hands }))
            }
        }
    }

    /// The time it is on this clock.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Kind::System => system_now(),
            Kind::Scaled { start, origin, speed, hands } => {
                let elapsed = SignedDuration::from_secs_f64(origin.elapsed().as_secs_f64() * speed);
                let moved = elapsed.saturating_add(hands.read(*speed));
                start.saturating_add(moved).unwrap_or(Timestamp::MAX)
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
        self.goes_on().await;
    }

    /// Waits while whoever reads this clock stands still, and says whether it did. Production never does.
    pub async fn goes_on(&self) -> bool {
        match &*self.0 {
            Kind::System => false,
            Kind::Scaled { hands, .. } => hands.go_on().await,
        }
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
        let mut work = pin!(work);
        let done = tokio::time::timeout(self.to_runtime(duration), work.as_mut()).await.ok();
        let stood_still = self.goes_on().await;
        if done.is_some() || !stood_still {
            return done;
        }
        // Who stood still looks first whether it is done, and then at the time.
        tokio::select! {
            biased;
            done = work => Some(done),
            () = std::future::ready(()) => None,
        }
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

    #[tokio::test(start_paused = true)]
    async fn the_clock_of_a_machine_is_moved_and_its_waits_are_not() {
        let (all, hands) = (Clock::scaled(start(), 1.0), Hands::default());
        let own = all.with(hands.clone());
        hands.jump(SignedDuration::from_hours(-2));
        assert_eq!(all.now().duration_since(own.now()), SignedDuration::from_hours(2));
        hands.drift(1_000.0);
        let before = Instant::now();
        own.sleep(Duration::from_secs(1_000)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(1_000));
        let behind = all.now().duration_since(own.now());
        assert_eq!(behind, SignedDuration::from_hours(2) - SignedDuration::from_secs(1));
        assert_eq!(hands.readings(), 2);
        hands.set();
        assert_eq!(own.now(), all.now());
        assert_eq!(hands.readings(), 2, "it was right");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_still_finds_itself_later() {
        let (all, hands) = (Clock::scaled(start(), 1.0), Hands::default());
        let own = all.with(hands.clone());
        hands.hold();
        let sleeps = tokio::spawn({
            let own = own.clone();
            async move { own.sleep(Duration::from_secs(1)).await }
        });
        let (say, said) = tokio::sync::oneshot::channel();
        let looks = tokio::spawn(async move { own.timeout(Duration::from_secs(1), said).await });
        all.sleep(Duration::from_secs(60)).await;
        assert!(!sleeps.is_finished() && !looks.is_finished());
        say.send(7).expect("somebody waits");
        hands.release();
        sleeps.await.expect("it goes on");
        assert_eq!(looks.await.expect("it goes on"), Some(Ok(7)), "late, and there all the same");
    }
}
