//! Data arrives in many small packets.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    draw::Draw,
    hits::Tally,
    piece::Piece,
    stage::{Slot, Stage},
};

/// Sizes in bytes, the delay between two packets in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slicer {
    pub average_size: u64,
    /// Smaller than the average.
    pub size_variation: u64,
    pub delay: u64,
}

impl Slicer {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.average_size == 0 {
            return Err("average_size must be at least 1".into());
        }
        if self.size_variation >= self.average_size {
            return Err("size_variation must be smaller than average_size".into());
        }
        Ok(())
    }
}

pub(super) struct SlicerStage {
    toxic: Slicer,
    draw: Draw,
    tally: Tally,
    slot: Slot,
    /// The next packet may not leave before.
    not_before: Option<Instant>,
}

impl SlicerStage {
    pub(super) fn new(toxic: Slicer, draw: Draw, tally: Tally) -> Self {
        Self { toxic, draw, tally, slot: Slot::default(), not_before: None }
    }
}

impl Stage for SlicerStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, _now: Instant) {
        self.slot.put(piece);
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let Slicer { average_size, size_variation, delay } = self.toxic;
        let Piece::Data(bytes) = self.slot.piece_mut()? else { return self.slot.take() };
        let most =
            self.draw.between(average_size - size_variation, average_size.saturating_add(size_variation));
        let len = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
        self.not_before = Some(now + Duration::from_micros(delay));
        if len == bytes.len() {
            return self.slot.take();
        }
        self.tally.chunk(len);
        Some(Piece::Data(bytes.split_to(len)))
    }

    fn due(&self) -> Option<Instant> {
        self.slot.piece().and(self.not_before)
    }

    fn change(&mut self, toxic: &Toxic, now: Instant) {
        if let Toxic::Slicer(toxic) = toxic {
            let delay = Duration::from_micros(toxic.delay);
            self.not_before = self.not_before.map(|at| at.min(now + delay));
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
    use crate::proxy::toxics::bench::{data, draw, fin, hits, tally};

    #[tokio::test(start_paused = true)]
    async fn a_chunk_leaves_in_packets_within_the_variation_and_whole() {
        let (hits, start) = (hits(), Instant::now());
        let toxic = Slicer { average_size: 100, size_variation: 20, delay: 500 };
        let mut stage = SlicerStage::new(toxic, draw(), tally(&hits));
        stage.put(data(&"x".repeat(1000)), start);
        let (mut sizes, mut now) = (Vec::new(), start);
        while stage.slot.piece().is_some() {
            now = stage.due().unwrap_or(now);
            sizes.push(stage.take(now).expect("it is due").len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        let (last, others) = sizes.split_last().expect("packets");
        assert!(others.iter().all(|size| (80..=120).contains(size)) && *last <= 120, "{sizes:?}");
        assert_eq!(now - start, Duration::from_micros(500) * u32::try_from(others.len()).expect("few"));
        assert_eq!(hits.read().chunks, others.len() as u64);
        stage.put(fin(), now);
        assert_eq!(stage.take(now + Duration::from_micros(500)), Some(fin()));
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        let check =
            |average_size, size_variation| Slicer { average_size, size_variation, delay: 0 }.check().is_ok();
        assert!(check(1, 0) && check(10, 9));
        assert!(!check(0, 0) && !check(10, 10));
    }
}
