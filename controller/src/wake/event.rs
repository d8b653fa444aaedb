//! What can happen to a wake, and what the outside has to do about it.

use jiff::Timestamp;
use reveille_proto::{
    HostId,
    edge::{AttemptResult, Phase},
};

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The throttle gave a permit on `host`; `grant` says what the decision was made from.
    Dispatch {
        host: HostId,
        epoch: u64,
        journal_id: String,
        at: Timestamp,
        deadline_at: Timestamp,
        grant: String,
    },
    /// The agent says how far it is.
    Progress {
        attempt: u32,
        phase: Phase,
        at: Timestamp,
    },
    /// The agent says how the attempt ended. `jitter` in `[0, 1)` spreads a retry.
    Result {
        result: AttemptResult,
        at: Timestamp,
        jitter: f64,
    },
    /// The agent's stream is up again, under this epoch, with this journal.
    Reconnected {
        epoch: u64,
        journal_id: String,
        at: Timestamp,
    },
    /// Somebody asks for an instance whose wake is under way.
    Join {
        by: String,
        at: Timestamp,
        /// Until when the person wants it.
        expires_at: Timestamp,
    },
    Cancel {
        by: String,
        at: Timestamp,
    },
    /// Ends it now, whatever its agent may still say.
    Force {
        by: String,
        at: Timestamp,
    },
    /// Looks at the time: expiry of a queued wake, deadline of a running one.
    Tick {
        at: Timestamp,
        host_connected: bool,
        /// Of a queued wake, why it does not start, where that is known.
        held_by: Option<String>,
    },
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dispatch { .. } => "dispatch",
            Self::Progress { .. } => "progress",
            Self::Result { .. } => "result",
            Self::Reconnected { .. } => "reconnected",
            Self::Join { .. } => "join",
            Self::Cancel { .. } => "cancel",
            Self::Force { .. } => "force",
            Self::Tick { .. } => "tick",
        }
    }

    pub fn at(&self) -> Timestamp {
        match self {
            Self::Dispatch { at, .. }
            | Self::Progress { at, .. }
            | Self::Result { at, .. }
            | Self::Reconnected { at, .. }
            | Self::Join { at, .. }
            | Self::Cancel { at, .. }
            | Self::Force { at, .. }
            | Self::Tick { at, .. } => *at,
        }
    }
}

/// What to do once the new state is committed. Doing it twice is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the command of the current run to its host.
    SendWake {
        look_only: bool,
    },
    SendCancel,
    /// A permit is free, or something is due: look at the queue.
    LookAtQueue,
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Self::SendWake { .. } => "send_wake",
            Self::SendCancel => "send_cancel",
            Self::LookAtQueue => "look_at_queue",
        }
    }
}

/// An event that cannot happen in this state. The wake stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event} is impossible for a wake that is {state}: {why}")]
pub struct Illegal {
    pub event: &'static str,
    pub state: &'static str,
    pub why: String,
}
