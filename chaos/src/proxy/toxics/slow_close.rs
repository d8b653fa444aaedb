//! The end of a stream comes late; its bytes do not.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Toxic;
use crate::proxy::{
    hits::Tally,
    piece::Piece,
    stage::{Slot, Stage},
};

/// In milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowClose {
    pub delay: u64,
}

pub(super) struct SlowCloseStage {
    toxic: SlowClose,
    tally: Tally,
    slot: Slot,
    ended_at: Option<Instant>,
}

impl SlowCloseStage {
    pub(super) fn new(toxic: SlowClose, tally: Tally) -> Self {
        Self { toxic, tally, slot: Slot::default(), ended_at: None }
    }
}

impl Stage for SlowCloseStage {
    fn has_room(&self) -> bool {
        self.slot.has_room()
    }

    fn put(&mut self, piece: Piece, now: Instant) {
        if matches!(piece, Piece::End(_)) {
            self.ended_at = Some(now);
            self.tally.chunk(0);
        }
        self.slot.put(piece);
    }

    fn take(&mut self, now: Instant) -> Option<Piece> {
        match self.slot.piece()? {
            Piece::End(_) if self.due().is_some_and(|due| now < due) => None,
            _ => self.slot.take(),
        }
    }

    fn due(&self) -> Option<Instant> {
        self.slot.piece()?;
        self.ended_at.map(|ended_at| ended_at + Duration::from_millis(self.toxic.delay))
    }

    fn change(&mut self, toxic: &Toxic, _now: Instant) {
        if let Toxic::SlowClose(toxic) = toxic {
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
    use crate::proxy::toxics::bench::{data, fin, hits, ms, tally};

    #[tokio::test(start_paused = true)]
    async fn bytes_pass_and_the_end_waits() {
        let (hits, now) = (hits(), Instant::now());
        let mut stage = SlowCloseStage::new(SlowClose { delay: 500 }, tally(&hits));
        stage.put(data("abc"), now);
        assert_eq!((stage.due(), stage.take(now)), (None, Some(data("abc"))));
        assert_eq!(hits.read().hits(), 0);
        stage.put(fin(), now);
        assert_eq!((stage.take(now + ms(499)), stage.due()), (None, Some(now + ms(500))));
        assert_eq!((stage.take(now + ms(500)), stage.due()), (Some(fin()), None));
        assert_eq!(hits.read().connections, 1);
    }
}
