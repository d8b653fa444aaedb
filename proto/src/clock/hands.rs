//! What may become of the clock of one machine, and of who reads it: the proving ground moves it and has it stand still.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::SignedDuration;
use tokio::{sync::Notify, time::Instant};

/// Cheap to clone; every clone moves the same clock. By default it is right, and nobody stands still.
#[derive(Clone)]
pub struct Hands(Arc<Shared>);

struct Shared {
    moved: Mutex<Moved>,
    is_held: AtomicBool,
    /// Wakes in the order in which they came; a watch would draw lots.
    released: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Ahead of the others' time at `since`.
    by: SignedDuration,
    since: Instant,
    /// Millionths it gains from then on.
    drift_ppm: f64,
    /// Readings that were not right.
    readings: u64,
}

impl Moved {
    fn at(&self, now: Instant, speed: f64) -> SignedDuration {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64() * speed;
        self.by + SignedDuration::from_secs_f64(elapsed * self.drift_ppm / 1e6)
    }
}

impl Default for Hands {
    fn default() -> Self {
        let since = Instant::now();
        let moved = Moved { by: SignedDuration::ZERO, since, drift_ppm: 0.0, readings: 0 };
        let shared =
            Shared { moved: Mutex::new(moved), is_held: AtomicBool::new(false), released: Notify::new() };
        Self(Arc::new(shared))
    }
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hands").field("moved", &*self.moved()).finish_non_exhaustive()
    }
}

impl Hands {
    /// Reads another time from now on: so much later, or earlier where it is below zero. What is waited for for a while is
    /// waited for as long as before.
    pub fn jump(&self, by: SignedDuration) {
        let mut moved = self.moved();
        moved.by = moved.by.saturating_add(by);
    }

    /// Gains so many millionths from now on, or loses them where it is below zero; what it has gained stays.
    pub fn drift(&self, ppm: f64) {
        let (mut moved, now) = (self.moved(), Instant::now());
        *moved = Moved { by: moved.at(now, 1.0), since: now, drift_ppm: ppm, ..*moved };
    }

    /// It is right again.
    pub fn set(&self) {
        let mut moved = self.moved();
        (moved.by, moved.drift_ppm) = (SignedDuration::ZERO, 0.0);
    }

    /// Whoever reads this clock stands still from its next wait on.
    pub fn hold(&self) {
        self.0.is_held.store(true, Ordering::SeqCst);
    }

    /// And goes on.
    pub fn release(&self) {
        self.0.is_held.store(false, Ordering::SeqCst);
        self.0.released.notify_waiters();
    }

    pub fn is_held(&self) -> bool {
        self.0.is_held.load(Ordering::SeqCst)
    }

    /// How often it was read while it was not right.
    pub fn readings(&self) -> u64 {
        self.moved().readings
    }

    /// How far it is ahead now.
    pub(super) fn read(&self, speed: f64) -> SignedDuration {
        let mut moved = self.moved();
        let by = moved.at(Instant::now(), speed);
        moved.readings += u64::from(!by.is_zero());
        by
    }

    /// Says whether it had to be waited for.
    pub(super) async fn go_on(&self) -> bool {
        let mut stood_still = false;
        loop {
            // Before the look, so that no release is missed.
            let released = self.0.released.notified();
            if !self.is_held() {
                return stood_still;
            }
            stood_still = true;
            released.await;
        }
    }

    fn moved(&self) -> MutexGuard<'_, Moved> {
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
