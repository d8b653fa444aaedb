//! The seam between carrying out a wake and the world it acts on.

use futures::future::BoxFuture;
use reveille_proto::{InstanceId, WakeId};

use crate::config::StatusWord;

/// What a driver is told of the wake it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub wake: WakeId,
    pub instance: InstanceId,
    /// Same for all attempts of one wake.
    pub idempotency_key: String,
}

/// What is known after a call. Three of five say that another call is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The endpoint said yes.
    Accepted,
    /// It said no, and nothing happened. It may have been `overloaded`, and the host with it.
    Refused { detail: String, retry_after_s: Option<u32>, retryable: bool, overloaded: bool },
    /// The call may or may not have reached the instance.
    Unknown { detail: String },
    /// It never left this host.
    NotSent { detail: String, retryable: bool },
    /// All endpoints failed too often lately to be asked now.
    PassedOver { retry_after_s: u32 },
}

impl CallOutcome {
    /// In one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
            Self::NotSent { .. } => "not_sent",
            Self::PassedOver { .. } => "passed_over",
        }
    }

    /// Whether another call cannot be a second one.
    pub fn had_no_effect(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NotSent { .. } | Self::PassedOver { .. })
    }
}

/// Wakes one instance.
pub trait Driver: Send + Sync {
    /// Asks once for the instance.
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, CallOutcome>;

    /// Takes back what a call of this wake started, where that can be done.
    fn cancel<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()>;

    /// Its wake is over, however it ended: what was held back while it started is let go.
    fn over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Looks whether one instance serves.
pub trait Probe: Send + Sync {
    /// One look; the error says in a line what was seen instead.
    fn look(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// Asks the platform how one instance is.
pub trait Platform: Send + Sync {
    /// Its word now; the error says in a line why there is none.
    fn word(&self) -> BoxFuture<'_, Result<StatusWord, String>>;
}
