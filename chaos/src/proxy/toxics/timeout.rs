//! All data is dropped, and the connection closed after a time; without a time it stays open until the toxic is removed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::{End, Piece},
    stage::{Slot, Stage},
};

/// In milliseconds from when the connection meets the toxic; 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeout {
    pub timeout: u64,
}

pub(super) struct TimeoutStage {
    toxic: Timeout,
    tally: Tally,
    since: Instant,
    /// Holds the end only; data goes nowhere.
    slot: Slot,
}

impl TimeoutStage {
    pub(super) fn new(toxic: Timeout, tally: Tally, now: Instant) -> Self {
        Self { toxic, tally, since: now, slot: Slot::default() }
    }

    fn closes_at(&self) -> Option<Instant> {
        (self.toxic.timeout > 0 && !self.slot.is_over())
            .then(|| self.since + Duration::from_millis(self.toxic.timeout))
    }
}

impl Stage for TimeoutStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, _now: Instant) {
        match piece {
            Piece::Data(bytes) => self.tally.chunk(bytes.len()),
            Piece::End(end) => {
                // Who has lost bytes must not believe that this was the whole.
                self.slot.end(if end == End::Fin { End::Close } else { end });
            }
        }
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        if self.closes_at().is_some_and(|at| at <= now) {
            self.tally.connection();
            self.slot.end(End::Close);
        }
        self.slot.take()
    }

    fn due(&self) -> Option<Instant> {
        self.closes_at()
    }

    fn change(&mut self, toxic: &Toxic, now: Instant) {
        if let Toxic::Timeout(toxic) = toxic {
            (self.toxic, self.since) = (toxic.clone(), now);
        }
    }

    /// The stream has a hole by now: it is closed rather than continued.
    fn retire(&mut self) -> Vec<Piece> {
        self.slot.end(End::Close);
        self.slot.take().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, hits, ms, tally};

    #[tokio::test(start_paused = true)]
    async fn data_is_dropped_and_the_connection_closed_in_time() {
        let (hits, now) = (hits(), Instant::now());
        let mut stage = TimeoutStage::new(Timeout { timeout: 100 }, tally(&hits), now);
        stage.put(data("abc"), now + ms(60));
        assert!(stage.has_room() && stage.take(now + ms(99)).is_none());
        assert_eq!(stage.due(), Some(now + ms(100)), "data does not put it off");
        assert_eq!(stage.take(now + ms(100)), Some(Piece::End(End::Close)));
        assert_eq!((stage.take(now + ms(200)), stage.due()), (None, None));
        assert_eq!((hits.read().bytes, hits.read().connections), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_stays_open_until_it_is_removed() {
        let now = Instant::now();
        let mut stage = TimeoutStage::new(Timeout { timeout: 0 }, tally(&hits()), now);
        stage.put(data("abc"), now);
        assert_eq!((stage.due(), stage.take(now + ms(3_600_000))), (None, None));
        assert_eq!(stage.retire(), [Piece::End(End::Close)]);
    }
}
