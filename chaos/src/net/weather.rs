//! What becomes of bytes on a line. It holds for every line of one caller, those of now and those to come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What holds in one direction, all of it together. By default everything arrives at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    /// Nothing arrives until this is over; nothing is lost, and neither end is told.
    pub is_held: bool,
    /// Each piece arrives this much later, and up to `jitter` later still; in order.
    pub delay: Duration,
    pub jitter: Duration,
    /// So many bytes pass in a second; no bound where there is none.
    pub bytes_per_s: Option<u64>,
    /// Share of the packets that are lost, 0-1: each is sent anew after a time-out, and what follows waits for it.
    pub loss: f64,
}

impl Flow {
    pub const HELD: Self =
        Self { is_held: true, delay: Duration::ZERO, jitter: Duration::ZERO, bytes_per_s: None, loss: 0.0 };
}

/// Of both directions, seen from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weather {
    pub there: Flow,
    pub back: Flow,
    /// How often every line of this caller was cut: one that was made before the last time is no more.
    pub cuts: u64,
    /// How often every line of this caller lost its peer: one that was made before the last time carries nothing any more, and
    /// neither end is told.
    pub orphaned: u64,
    /// Lines orphaned up to this time are told now: they end.
    pub told: u64,
}

impl Weather {
    /// Whether a call goes through now.
    pub fn lets_through(&self) -> bool {
        !self.there.is_held && !self.back.is_held
    }
}

/// How weather is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meeting {
    /// A piece that was held, or a call that had to wait.
    Held,
    /// A piece that was delayed.
    Late,
    /// A piece that had to wait for its turn on a narrow line.
    Narrow,
    /// A packet that was lost.
    Lost,
    /// A piece sent to nobody.
    Orphaned,
    /// A line that was cut.
    Cut,
}

const MEETINGS: usize = 6;

/// How often weather was met, and in which way.
#[derive(Debug, Clone, Default)]
pub(super) struct Met(Arc<[AtomicU64; MEETINGS]>);

impl Met {
    pub(super) fn count(&self, how: Meeting) {
        self.0[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn times(&self, how: Meeting) -> u64 {
        self.0[how as usize].load(Ordering::Relaxed)
    }
}
