//! Everything comes later by the same time, give or take; the throughput stays.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{draw::Draw, hits::Tally, piece::Piece, stage::Stage};

/// What may be under way in one direction of one connection, in bytes and chunks.
const HELD_BYTES_MAX: usize = 256 * 1024;
const HELD_CHUNKS_MAX: usize = 1024;

/// Both in milliseconds: a chunk is delayed by `latency`, plus or minus up to `jitter`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    pub latency: u64,
    pub jitter: u64,
}

#[derive(Debug)]
struct Waiting {
    piece: Piece,
    came_at: Instant,
    swing: f64,
    due: Instant,
}

/// Delays each piece from the moment it came, in order.
pub(super) struct LatencyStage {
    toxic: Latency,
    draw: Draw,
    tally: Tally,
    line: VecDeque<Waiting>,
    held_bytes: usize,
    is_over: bool,
}

impl LatencyStage {
    pub(super) fn new(toxic: Latency, draw: Draw, tally: Tally) -> Self {
        Self { toxic, draw, tally, line: VecDeque::new(), held_bytes: 0, is_over: false }
    }

    fn due_of(&self, came_at: Instant, swing: f64) -> Instant {
        let delay_ms = (self.toxic.latency as f64 + swing * self.toxic.jitter as f64).max(0.0);
        came_at + Duration::from_secs_f64(delay_ms / 1000.0)
    }
}

impl Stage for LatencyStage {
    fn has_room(&self) -> bool {
        !self.is_over && self.held_bytes < HELD_BYTES_MAX && self.line.len() < HELD_CHUNKS_MAX
    }

    fn put(&mut self, piece: Piece, now: Instant) {
        self.is_over = matches!(piece, Piece::End(_));
        self.held_bytes += piece.len();
        let swing = self.draw.swing();
        // A stream stays in order: nothing is there before what was sent before it.
        let last = self.line.back().map_or(now, |last| last.due);
        let due = self.due_of(now, swing).max(last);
        if due > now {
            self.tally.chunk(piece.len());
        }
        self.line.push_back(Waiting { piece, came_at: now, swing, due });
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        let waiting = self.line.pop_front_if(|first| first.due <= now)?;
        self.held_bytes -= waiting.piece.len();
        Some(waiting.piece)
    }

    fn due(&self) -> Option<Instant> {
        self.line.front().map(|first| first.due)
    }

    fn change(&mut self, toxic: &Toxic, _now: Instant) {
        let Toxic::Latency(toxic) = toxic else { return };
        self.toxic = toxic.clone();
        let mut line = std::mem::take(&mut self.line);
        let mut last = None;
        for waiting in &mut line {
            waiting.due = self.due_of(waiting.came_at, waiting.swing).max(last.unwrap_or(waiting.came_at));
            last = Some(waiting.due);
        }
        self.line = line;
    }

    fn retire(&mut self) -> Vec<Piece> {
        self.held_bytes = 0;
        self.line.drain(..).map(|waiting| waiting.piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::toxics::bench::{data, draw, fin, hits, ms, tally};

    fn stage(latency: u64, jitter: u64) -> LatencyStage {
        LatencyStage::new(Latency { latency, jitter }, draw(), tally(&hits()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunk_and_the_end_behind_it_wait_their_time() {
        let (mut stage, now, hits) = (stage(100, 0), Instant::now(), hits());
        stage.tally = tally(&hits);
        stage.put(data("abc"), now);
        stage.put(fin(), now + ms(10));
        assert_eq!((stage.take(now + ms(99)), stage.due()), (None, Some(now + ms(100))));
        assert_eq!(stage.take(now + ms(100)), Some(data("abc")));
        assert_eq!((stage.take(now + ms(109)), stage.take(now + ms(110))), (None, Some(fin())));
        assert!(!stage.has_room(), "nothing comes after the end");
        assert_eq!((hits.read().chunks, hits.read().bytes, hits.read().connections), (2, 3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_stays_in_its_bounds_and_changes_no_order() {
        let (mut stage, now) = (stage(100, 50), Instant::now());
        for _ in 0..200 {
            stage.put(data("x"), now);
        }
        let dues: Vec<Instant> = stage.line.iter().map(|waiting| waiting.due).collect();
        assert!(dues.is_sorted());
        assert!(dues[0] >= now + ms(50) && dues[199] <= now + ms(150), "{dues:?}");
        assert!(dues[0] < dues[199], "it varies");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_follows_a_change_at_once() {
        let (mut stage, now) = (stage(60_000, 0), Instant::now());
        stage.put(data("abc"), now);
        stage.change(&Toxic::Latency(Latency { latency: 20, jitter: 0 }), now + ms(5));
        assert_eq!(stage.due(), Some(now + ms(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_bounded() {
        let (mut stage, now) = (stage(60_000, 0), Instant::now());
        let mut chunks = 0;
        while stage.has_room() {
            stage.put(data(&"x".repeat(16 * 1024)), now);
            chunks += 1;
        }
        assert_eq!(chunks, 16);
        assert_eq!(stage.retire().len(), 16);
    }
}
