//! The connection is closed after so many bytes.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::{End, Piece},
    stage::{Slot, Stage},
};

/// Bytes that get through before the connection is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitData {
    pub bytes: u64,
}

pub(super) struct LimitDataStage {
    toxic: LimitData,
    tally: Tally,
    passed_bytes: u64,
    slot: Slot,
}

impl LimitDataStage {
    pub(super) fn new(toxic: LimitData, tally: Tally) -> Self {
        Self { toxic, tally, passed_bytes: 0, slot: Slot::default() }
    }

    fn is_reached(&self) -> bool {
        self.passed_bytes >= self.toxic.bytes
    }
}

impl Stage for LimitDataStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, _now: Instant) {
        let Piece::Data(mut bytes) = piece else { return self.slot.put(piece) };
        let left = self.toxic.bytes.saturating_sub(self.passed_bytes);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.passed_bytes += len as u64;
        if self.is_reached() {
            self.tally.chunk(bytes.len() - len);
        }
        if len > 0 {
            self.slot.put(Piece::Data(bytes.split_to(len)));
        } else {
            self.slot.end(End::Close);
        }
    }

    fn take(&mut self, _now: Instant) -> Option<Piece> {
        let taken = self.slot.take();
        if self.is_reached() && self.passed_bytes > 0 {
            self.slot.end(End::Close);
        }
        taken.or_else(|| self.slot.take())
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn change(&mut self, toxic: &Toxic, _now: Instant) {
        if let Toxic::LimitData(toxic) = toxic {
            self.toxic = toxic.clone();
        }
    }

    fn retire(&mut self) -> Vec<Piece> {
        self.slot.take().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, hits, tally};

    #[tokio::test(start_paused = true)]
    async fn the_limit_gets_through_to_the_byte_and_then_the_end() {
        let (hits, now) = (hits(), Instant::now());
        let mut stage = LimitDataStage::new(LimitData { bytes: 5 }, tally(&hits));
        stage.put(data("abc"), now);
        assert_eq!((stage.take(now), hits.read().hits()), (Some(data("abc")), 0));
        stage.put(data("defg"), now);
        assert_eq!(stage.take(now), Some(data("de")));
        assert_eq!(stage.take(now), Some(Piece::End(End::Close)));
        assert!(!stage.has_room());
        assert_eq!((hits.read().bytes, hits.read().connections), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_nothing_lets_nothing_through() {
        let mut stage = LimitDataStage::new(LimitData { bytes: 0 }, tally(&hits()));
        let now = Instant::now();
        assert_eq!(stage.take(now), None, "it is closed by data, not before");
        stage.put(data("abc"), now);
        assert_eq!(stage.take(now), Some(Piece::End(End::Close)));
    }
}
