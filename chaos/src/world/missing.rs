//! One message between controller and agent that never arrives.

use serde::{Deserialize, Serialize};

use crate::history::{Event, Function};

/// Which message, as the history has it: it is written down where it was sent, and does not pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    pub event: Function,
    pub wake: String,
    pub attempt: u32,
    /// Which of those that are told of this attempt under this name, counted from 0.
    pub nth: u32,
    /// It goes under with its session, as when a connection breaks; otherwise it alone is lost, and nobody is told.
    #[serde(default)]
    pub ends_session: bool,
}

/// What the history calls it when one is lost.
pub const MISSING: &str = "link.missing";

impl Missing {
    /// What is said of wakes on the link: commands and their acknowledgements, how far they are, results and theirs.
    pub const EVENTS: [Function; 6] = [
        Function::CommandSend,
        Function::CommandAck,
        Function::Preflight,
        Function::Poll,
        Function::SlotRelease,
        Function::StoreCommit,
    ];

    /// Whether a message about this attempt is told under this name.
    pub(super) fn is_like(&self, event: Function, wake: &str, attempt: u32) -> bool {
        (self.event, self.wake.as_str(), self.attempt) == (event, wake, attempt)
    }

    /// Whether an event tells that the message was met, and lost.
    pub fn is_lost(event: &Event) -> bool {
        event.f == Function::FaultHit && event.text("kind") == Some(MISSING)
    }

    /// The message that an event of the link tells of; none for other events. `nth` is left at 0.
    pub fn of(event: &Event) -> Option<Self> {
        let is_of_link = event.k.host.as_deref() == Some(&event.node) && Self::EVENTS.contains(&event.f);
        let (wake, attempt) = (event.k.wake.clone(), event.k.attempt);
        is_of_link.then_some(())?;
        Some(Self { event: event.f, wake: wake?, attempt: attempt?, nth: 0, ends_session: false })
    }
}
