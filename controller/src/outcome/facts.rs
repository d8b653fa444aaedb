//! What is known of a wake that is over.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::{Deserialize, Serialize};

use crate::wake::{End, Reason, State, Wake};

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
    /// Of a wake that is over; `None` of one that goes on.
    pub fn of(wake: &Wake) -> Option<Self> {
        let State::Ended { end, at } = wake.state else { return None };
        Some(Self {
            wake: wake.id,
            instance: wake.instance.clone(),
            reason: wake.reason,
            due_at: wake.due_at,
            called_at: wake.called_at,
            serving_at: wake.serving_at,
            ended_at: at,
            end,
        })
    }

    /// When the wake began to have an effect: the call, or when it was due where the call is not known.
    pub fn started_at(&self) -> Timestamp {
        self.called_at.unwrap_or(self.due_at)
    }

    /// When the instance served; the end of the wake where that was not seen.
    pub fn served_at(&self) -> Timestamp {
        self.serving_at.unwrap_or(self.ended_at)
    }
}
