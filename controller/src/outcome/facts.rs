//! What is known of a wake that is over.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::{Deserialize, Serialize};

use crate::wake::{End, Reason};

/// A wake that is over, as far as its verdict depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeFacts {
    pub wake: WakeId,
    pub instance: InstanceId,
    pub reason: Reason,
    pub due_at: Timestamp,
    /// When an endpoint was first called; absent when none was.
    pub called_at: Option<Timestamp>,
    /// When the instance was first seen serving.
    pub serving_at: Option<Timestamp>,
    pub ended_at: Timestamp,
    pub end: End,
}

impl WakeFacts {
    /// When the wake began to have an effect: the call, or when it was due where the call is not known.
    pub fn started_at(&self) -> Timestamp {
        self.called_at.unwrap_or(self.due_at)
    }

    /// When the instance served; the end of the wake where that was not seen.
    pub fn served_at(&self) -> Timestamp {
        self.serving_at.unwrap_or(self.ended_at)
    }
}
