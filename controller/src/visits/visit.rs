//! One stay of a user, from the arrival to the last sign before an idle gap.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

/// How soon after the arrival a wake request must come for the arrival to count as one that found the instance
/// asleep. Later requests belong to a stay that began with the instance awake.
pub const ASKED_WITHIN_S: i64 = 15 * 60;

/// One stay of a user at one instance. `(instance, arrived_at)` identifies it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Visit {
    pub instance: InstanceId,
    /// The first sighting.
    pub arrived_at: Timestamp,
    /// The last sighting; equals `arrived_at` when there was only one.
    pub departed_at: Timestamp,
    /// The earliest wake request inside the visit.
    pub asked_at: Option<Timestamp>,
}

impl Visit {
    /// Whether the arrival found the instance asleep: a wake request came within [`ASKED_WITHIN_S`] of it.
    pub fn asked(&self) -> bool {
        let within = SignedDuration::from_secs(ASKED_WITHIN_S);
        self.asked_at.is_some_and(|asked_at| asked_at.duration_since(self.arrived_at) <= within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(asked_at_s: Option<i64>) -> Visit {
        let at = |s| Timestamp::from_second(s).expect("in range");
        Visit {
            instance: InstanceId::new("dev1").expect("valid"),
            arrived_at: at(1_000),
            departed_at: at(9_000),
            asked_at: asked_at_s.map(at),
        }
    }

    #[test]
    fn only_an_early_wake_request_says_that_the_arrival_found_it_asleep() {
        assert!(!visit(None).asked());
        assert!(visit(Some(1_000)).asked());
        assert!(visit(Some(1_000 + ASKED_WITHIN_S)).asked());
        assert!(!visit(Some(1_001 + ASKED_WITHIN_S)).asked());
    }

    #[test]
    fn early_is_within_a_quarter_of_an_hour() {
        assert!(visit(Some(1_900)).asked() && !visit(Some(1_901)).asked());
    }
}
