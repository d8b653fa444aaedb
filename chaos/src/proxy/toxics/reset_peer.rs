//! The connection is reset when something is said on it, or a while later.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::{End, Piece},
    stage::{Slot, Stage},
};

/// In milliseconds from the first data on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResetPeer {
    pub timeout: u64,
}

pub(super) struct ResetPeerStage {
    toxic: ResetPeer,
    tally: Tally,
    /// When the first data came; it and what comes after it is lost.
    met_at: Option<Instant>,
    slot: Slot,
}

impl ResetPeerStage {
    pub(super) fn new(toxic: ResetPeer, tally: Tally) -> Self {
        Self { toxic, tally, met_at: None, slot: Slot::default() }
    }
}

impl Stage for ResetPeerStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, now: Instant) {
        self.met_at.get_or_insert(now);
        self.tally.chunk(piece.len());
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        if self.due().is_some_and(|due| due <= now) {
            self.slot.end(End::Reset);
        }
        self.slot.take()
    }

    fn due(&self) -> Option<Instant> {
        let due = self.met_at? + Duration::from_millis(self.toxic.timeout);
        (!self.slot.is_over()).then_some(due)
    }

    fn change(&mut self, toxic: &Toxic, _now: Instant) {
        if let Toxic::ResetPeer(toxic) = toxic {
            self.toxic = toxic.clone();
        }
    }

    /// Where something was lost already, the reset comes now.
    fn retire(&mut self) -> Vec<Piece> {
        if self.met_at.is_some() {
            self.slot.end(End::Reset);
        }
        self.slot.take().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, hits, ms, tally};

    #[tokio::test(start_paused = true)]
    async fn the_first_data_is_lost_and_the_reset_comes_in_time() {
        let (hits, now) = (hits(), Instant::now());
        let mut stage = ResetPeerStage::new(ResetPeer { timeout: 50 }, tally(&hits));
        assert_eq!((stage.due(), stage.retire().len()), (None, 0), "an idle connection is left alone");
        stage.put(data("abc"), now);
        stage.put(data("def"), now + ms(40));
        assert_eq!((stage.take(now + ms(49)), stage.due()), (None, Some(now + ms(50))));
        assert_eq!(stage.take(now + ms(50)), Some(Piece::End(End::Reset)));
        assert_eq!((hits.read().chunks, hits.read().connections), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn removed_between_data_and_reset_it_resets_at_once() {
        let mut stage = ResetPeerStage::new(ResetPeer { timeout: 60_000 }, tally(&hits()));
        stage.put(data("abc"), Instant::now());
        assert_eq!(stage.retire(), [Piece::End(End::Reset)]);
    }
}
