//! One toxic at work in one direction of one connection: pieces go in, and come out when the toxic lets them.
//!
//! A stage does no IO and reads no clock, so that each toxic is tested without a socket; what it holds is bounded.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{
    piece::{End, Piece},
    toxics::Toxic,
};

pub(super) trait Stage: Send {
    /// Whether it takes another piece. A stage without room stops the reading: back-pressure.
    fn has_room(&self) -> bool;

    /// Takes the next piece of the stream.
    fn put(&mut self, piece: Piece, now: Instant);

    /// The next piece that may go on by now.
    fn take(&mut self, now: Instant) -> Option<Piece>;

    /// When it has something to give next, though nothing more comes in.
    fn due(&self) -> Option<Instant>;

    /// Its toxic has other attributes from now on.
    fn change(&mut self, toxic: &Toxic, now: Instant);

    /// Its toxic is gone: all it holds, to go on undelayed.
    fn retire(&mut self) -> Vec<Piece>;
}

/// What a retired stage held: goes on at once, and nothing overtakes it.
#[derive(Debug)]
pub(super) struct Leftover(pub(super) VecDeque<Piece>);

impl Stage for Leftover {
    fn has_room(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, piece: Piece, _now: Instant) {
        self.0.push_back(piece);
    }

    fn take(&mut self, _now: Instant) -> Option<Piece> {
        self.0.pop_front()
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn change(&mut self, _toxic: &Toxic, _now: Instant) {}

    fn retire(&mut self) -> Vec<Piece> {
        self.0.drain(..).collect()
    }
}

/// Room for one piece, the simplest bound.
#[derive(Debug, Default)]
pub(super) struct Slot {
    piece: Option<Piece>,
    /// Nothing comes after an end.
    is_over: bool,
}

impl Slot {
    pub(super) fn has_room(&self) -> bool {
        self.piece.is_none() && !self.is_over
    }

    pub(super) fn put(&mut self, piece: Piece) {
        self.is_over |= matches!(piece, Piece::End(_));
        self.piece = Some(piece);
    }

    /// Ends the stream whatever is held.
    pub(super) fn end(&mut self, end: End) {
        if !self.is_over {
            self.put(Piece::End(end));
        }
    }

    pub(super) fn piece(&self) -> Option<&Piece> {
        self.piece.as_ref()
    }

    pub(super) fn piece_mut(&mut self) -> Option<&mut Piece> {
        self.piece.as_mut()
    }

    pub(super) fn take(&mut self) -> Option<Piece> {
        self.piece.take()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}
