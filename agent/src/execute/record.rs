//! What the journal says, line by line.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::{Deserialize, Serialize};

use super::{Ending, Entry, Order};

/// One line of the journal. Each is a fact; folding them gives the [`Book`](super::Book).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// The highest epoch seen.
    Epoch { epoch: u64 },
    /// A command was taken.
    Received { order: Order, at: Timestamp },
    /// Preflight found the instance asleep and allowed.
    Eligible { wake: WakeId, attempt: u32, at: Timestamp },
    /// The call is about to be made.
    Calling { wake: WakeId, attempt: u32, at: Timestamp },
    /// The endpoint said yes.
    Accepted { wake: WakeId, attempt: u32, at: Timestamp },
    /// Nobody knows what the call did.
    Unknown { wake: WakeId, attempt: u32, at: Timestamp },
    /// The attempt is over.
    Done { wake: WakeId, attempt: u32, ending: Ending },
    /// The controller has the result.
    Acked { wake: WakeId, attempt: u32, at: Timestamp },
    /// All that earlier lines said of one wake, written when the journal is compacted.
    Kept { entry: Entry },
}

impl Record {
    /// The wake it is about.
    pub fn wake(&self) -> Option<WakeId> {
        match self {
            Self::Epoch { .. } => None,
            Self::Received { order, .. } => Some(order.wake),
            Self::Kept { entry } => Some(entry.order.wake),
            Self::Eligible { wake, .. }
            | Self::Calling { wake, .. }
            | Self::Accepted { wake, .. }
            | Self::Unknown { wake, .. }
            | Self::Done { wake, .. }
            | Self::Acked { wake, .. } => Some(*wake),
        }
    }

    /// Its name, as the journal writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Epoch { .. } => "epoch",
            Self::Received { .. } => "received",
            Self::Eligible { .. } => "eligible",
            Self::Calling { .. } => "calling",
            Self::Accepted { .. } => "accepted",
            Self::Unknown { .. } => "unknown",
            Self::Done { .. } => "done",
            Self::Acked { .. } => "acked",
            Self::Kept { .. } => "kept",
        }
    }

    /// The instance it names; most records name their wake alone.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Received { order, .. } => Some(&order.instance),
            Self::Kept { entry } => Some(&entry.order.instance),
            _ => None,
        }
    }

    /// Whether the next step must not be taken before this is on disk.
    pub fn must_sync(&self) -> bool {
        matches!(self, Self::Received { .. } | Self::Calling { .. } | Self::Done { .. })
    }
}
