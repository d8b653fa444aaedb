//! Nothing gets through and nobody is told: no data, no end. One direction of it is a one-way partition.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::{End, Piece},
    stage::{Slot, Stage},
};

/// What becomes of what is sent meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It waits, and arrives when the partition heals, as TCP sends again what nobody has acknowledged.
    #[default]
    Hold,
    /// It is lost, and who lost something is reset when the partition heals, as when TCP has given up.
    Drop,
}

/// A whole partition (new connections included) or one direction of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Partition {
    pub mode: Held,
}

pub(super) struct PartitionStage {
    toxic: Partition,
    tally: Tally,
    /// The first piece that waits; the others wait in the sockets behind it.
    slot: Slot,
    has_lost: bool,
}

impl PartitionStage {
    pub(super) fn new(toxic: Partition, tally: Tally) -> Self {
        Self { toxic, tally, slot: Slot::default(), has_lost: false }
    }
}

impl Stage for PartitionStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, _now: Instant) {
        self.tally.chunk(piece.len());
        match (self.toxic.mode, &piece) {
            (Held::Drop, Piece::Data(_)) => self.has_lost = true,
            _ => self.slot.put(piece),
        }
    }

    fn take(&mut self, _now: Instant) -> Option<Piece> {
        None
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn change(&mut self, toxic: &Toxic, _now: Instant) {
        let (Toxic::Partition(toxic) | Toxic::OneWay(toxic)) = toxic else { return };
        self.toxic = toxic.clone();
        if self.toxic.mode == Held::Drop && matches!(self.slot.piece(), Some(Piece::Data(_))) {
            self.has_lost = true;
            self.slot.take();
        }
    }

    fn retire(&mut self) -> Vec<Piece> {
        if self.has_lost {
            return vec![Piece::End(End::Reset)];
        }
        self.slot.take().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, fin, hits, tally};

    #[tokio::test(start_paused = true)]
    async fn what_is_held_arrives_after_the_healing() {
        let (hits, now) = (hits(), Instant::now());
        let mut stage = PartitionStage::new(Partition::default(), tally(&hits));
        stage.put(data("abc"), now);
        assert!(!stage.has_room() && stage.take(now).is_none());
        assert_eq!(stage.retire(), [data("abc")]);
        assert_eq!((hits.read().bytes, hits.read().connections), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_lost_something_is_reset_and_who_did_not_goes_on() {
        let (now, toxic) = (Instant::now(), Partition { mode: Held::Drop });
        let mut stage = PartitionStage::new(toxic.clone(), tally(&hits()));
        stage.put(data("abc"), now);
        assert!(stage.has_room(), "it swallows");
        assert_eq!(stage.retire(), [Piece::End(End::Reset)]);
        let mut stage = PartitionStage::new(toxic, tally(&hits()));
        stage.put(fin(), now);
        assert_eq!(stage.take(now), None, "not even the end gets through");
        assert_eq!(stage.retire(), [fin()]);
    }
}
