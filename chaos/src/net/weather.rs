//! What becomes of bytes on a line. It holds for every line of one caller, those of now and those to come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    #[default]
    Free,
    /// Each piece arrives `delay` later, and up to `jitter` later still; in order.
    Late { delay: Duration, jitter: Duration },
    /// Nothing arrives until this is over; nothing is lost, and neither end is told.
    Held,
}

/// Of both directions, seen from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    pub there: Flow,
    pub back: Flow,
    /// How often every line of this caller was cut: one that was made before the last time is no more.
    pub cuts: u64,
}

impl Weather {
    /// Whether a call goes through now.
    pub fn lets_through(&self) -> bool {
        self.there != Flow::Held && self.back != Flow::Held
    }
}

/// How often weather was met: a piece that was late or held, a call that had to wait, a line that was cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Met(Arc<AtomicU64>);

impl Met {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn times(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
