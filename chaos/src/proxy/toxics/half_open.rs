//! The sender of a stream is gone without a word; its receiver keeps an open connection to nobody.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    piece::{End, Piece},
    stage::{Slot, Stage},
};

/// Nothing to set: the stream says whose sender is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HalfOpen {}

/// Ends the link at once. What the receiver says to nobody is swallowed, and counted, by the connection, until the toxic
/// is removed.
pub(super) struct HalfOpenStage(Slot);

impl HalfOpenStage {
    pub(super) fn new() -> Self {
        let mut slot = Slot::default();
        slot.end(End::Abandon);
        Self(slot)
    }
}

impl Stage for HalfOpenStage {
    fn has_room(&self) -> bool {
        false
    }

    fn put(&mut self, _piece: Piece, _now: Instant) {}

    fn take(&mut self, _now: Instant) -> Option<Piece> {
        self.0.take()
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn change(&mut self, _toxic: &Toxic, _now: Instant) {}

    fn retire(&mut self) -> Vec<Piece> {
        self.0.take();
        Vec::new()
    }
}
