//! Who goes first.

use jiff::Timestamp;
use reveille_proto::WakeId;

use crate::wake::{Priority, Wake};

/// Sorts ascending: people, then operators, then forecasts; inside a class the earliest due; ties by age.
pub type Rank = (Priority, Timestamp, WakeId);

pub fn rank(wake: &Wake) -> Rank {
    (wake.priority, wake.due_at, wake.id)
}
