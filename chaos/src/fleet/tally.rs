//! What the agents' process counts, and the line it says of it ten times a second.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Counted since the start, by all agents together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Sessions that were welcomed.
    pub(super) welcomed: AtomicU64,
    /// Of these, sessions that are over.
    pub(super) broken: AtomicU64,
    /// Hellos said, answered or not.
    pub(super) hellos: AtomicU64,
    /// Connections that were not had.
    pub(super) not_dialled: AtomicU64,
    /// Hellos that were refused or not answered.
    pub(super) not_welcomed: AtomicU64,
    pub(super) loads: AtomicU64,
    /// Loads left out, as one before was still on its way.
    pub(super) coalesced: AtomicU64,
}

/// One line of the agents' process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tick {
    /// Since the agents' process began.
    pub(super) at_ms: u64,
    pub(super) welcomed: u64,
    pub(super) broken: u64,
    pub(super) hellos: u64,
    pub(super) not_dialled: u64,
    pub(super) not_welcomed: u64,
    pub(super) loads: u64,
    pub(super) coalesced: u64,
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub(super) fn tick(&self, at_ms: u64) -> Tick {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // What is over is read first: no session is over before it was welcomed.
        let broken = read(&self.broken);
        Tick {
            at_ms,
            welcomed: read(&self.welcomed),
            broken,
            hellos: read(&self.hellos),
            not_dialled: read(&self.not_dialled),
            not_welcomed: read(&self.not_welcomed),
            loads: read(&self.loads),
            coalesced: read(&self.coalesced),
        }
    }
}

impl Tick {
    /// Sessions that live.
    pub(super) fn connected(&self) -> u64 {
        self.welcomed - self.broken
    }
}

/// The most of what `count` counts within any second of `ticks`, which are in order.
pub(super) fn most_in_a_second(ticks: &[Tick], count: impl Fn(&Tick) -> u64) -> u64 {
    let mut first = 0;
    let mut most = 0;
    for tick in ticks {
        while ticks[first].at_ms + 1000 < tick.at_ms {
            first += 1;
        }
        most = most.max(count(tick) - count(&ticks[first]));
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_may_begin_anywhere() {
        let said = [(0, 0), (400, 1), (900, 5), (1400, 9), (1900, 10), (5000, 13)];
        let ticks = said.map(|(at_ms, hellos)| Tick { at_ms, hellos, ..Tick::default() });
        assert_eq!(most_in_a_second(&ticks, |tick| tick.hellos), 8);
        assert_eq!(most_in_a_second(&ticks[..1], |tick| tick.hellos), 0);
        assert_eq!(most_in_a_second(&[], |tick| tick.hellos), 0);
    }

    #[test]
    fn a_line_says_what_was_counted() {
        let tally = Tally::default();
        add(&tally.welcomed);
        add(&tally.welcomed);
        add(&tally.broken);
        let tick = tally.tick(7);
        assert_eq!((tick.connected(), tick.at_ms), (1, 7));
        let line = serde_json::to_string(&tick).expect("JSON");
        assert_eq!(serde_json::from_str::<Tick>(&line).expect("a tick"), tick);
    }
}
