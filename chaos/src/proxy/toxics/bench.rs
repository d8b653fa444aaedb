//! What the tests of the toxics stand on: pieces, times, counters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::proxy::{
    draw::Draw,
    hits::{Hits, Tally},
    piece::{End, Piece},
};

pub(super) fn data(text: &str) -> Piece {
    Piece::Data(Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn fin() -> Piece {
    Piece::End(End::Fin)
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn draw() -> Draw {
    Draw::new(1, "proxy", 0, "toxic")
}

pub(super) fn hits() -> Arc<Hits> {
    Arc::default()
}

pub(super) fn tally(hits: &Arc<Hits>) -> Tally {
    Tally::new(hits)
}
