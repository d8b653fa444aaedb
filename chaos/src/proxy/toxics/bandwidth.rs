//! A direction of a connection carries no more than so many bytes a second.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::Piece,
    stage::{Slot, Stage},
};

/// A slice is what the line carries in this time, in milliseconds.
const SLICE_MS: u64 = 100;

/// In kilobytes (1,000 bytes) a second; with 0 nothing gets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bandwidth {
    pub rate: u64,
}

/// Gives slices, each when the line has carried it.
pub(super) struct BandwidthStage {
    toxic: Bandwidth,
    tally: Tally,
    slot: Slot,
    /// From when on the line is free for the slice that is first.
    since: Option<Instant>,
    /// When the slice before was through.
    free_at: Option<Instant>,
}

impl BandwidthStage {
    pub(super) fn new(toxic: Bandwidth, tally: Tally) -> Self {
        Self { toxic, tally, slot: Slot::default(), since: None, free_at: None }
    }

    fn slice_len(&self, len: usize) -> usize {
        let most = usize::try_from(self.toxic.rate.saturating_mul(SLICE_MS)).unwrap_or(usize::MAX);
        len.min(most.max(1))
    }
}

impl Stage for BandwidthStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, now: Instant) {
        if piece.len() > 0 {
            self.tally.chunk(piece.len());
        }
        self.since = Some(self.free_at.map_or(now, |free_at| free_at.max(now)));
        self.slot.put(piece);
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        let due = self.due().filter(|due| *due <= now)?;
        let len = self.slice_len(self.slot.piece()?.len());
        (self.since, self.free_at) = (Some(due), Some(due));
        match self.slot.piece_mut() {
            Some(Piece::Data(bytes)) if bytes.len() > len => Some(Piece::Data(bytes.split_to(len))),
            _ => self.slot.take(),
        }
    }

    fn due(&self) -> Option<Instant> {
        let (since, piece) = (self.since?, self.slot.piece()?);
        match (piece, self.toxic.rate) {
            (Piece::End(_), _) => Some(since),
            (Piece::Data(_), 0) => None,
            // Bytes by kilobytes a second are milliseconds.
            (Piece::Data(bytes), rate) => {
                let carried_ms = self.slice_len(bytes.len()) as f64 / rate as f64;
                Some(since + Duration::from_secs_f64(carried_ms / 1000.0))
            }
        }
    }

    fn change(&mut self, toxic: &Toxic, now: Instant) {
        if let Toxic::Bandwidth(toxic) = toxic {
            self.toxic = toxic.clone();
            self.since = self.since.map(|since| since.min(now));
        }
    }

    fn retire(&mut self) -> Vec<Piece> {
        self.slot.take().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, fin, hits, ms, tally};

    /// How long it takes, in milliseconds, until all of `bytes` and the end are through.
    fn carried_ms(rate: u64, bytes: usize) -> u128 {
        let mut stage = BandwidthStage::new(Bandwidth { rate }, tally(&hits()));
        let start = Instant::now();
        let mut now = start;
        for piece in [data(&"x".repeat(bytes)), fin()] {
            stage.put(piece, now);
            while let Some(due) = stage.due() {
                now = now.max(due);
                assert!(stage.take(now).is_some());
            }
        }
        (now - start).as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_the_bytes_by_the_rate() {
        assert_eq!(carried_ms(10, 16_000), 1600);
        assert_eq!(carried_ms(1000, 16_000), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_gives_slices_rather_than_bursts() {
        let mut stage = BandwidthStage::new(Bandwidth { rate: 10 }, tally(&hits()));
        let now = Instant::now();
        stage.put(data(&"x".repeat(5000)), now);
        assert_eq!(stage.take(now + ms(99)), None);
        assert_eq!(stage.take(now + ms(100)).map(|piece| piece.len()), Some(1000));
        assert!(!stage.has_room());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_gets_through_at_0_until_the_rate_is_changed() {
        let mut stage = BandwidthStage::new(Bandwidth { rate: 0 }, tally(&hits()));
        let now = Instant::now();
        stage.put(data("abc"), now);
        assert_eq!(stage.due(), None);
        stage.change(&Toxic::Bandwidth(Bandwidth { rate: 1 }), now);
        assert_eq!(stage.due(), Some(now + ms(3)));
    }
}
