//! The heart: what may happen to one wake, and what follows from it.
//!
//! ```text
//!                 join (a person asks too: due now, goes first)
//!                  |
//!   created --> [queued] --dispatch--> [dispatched] --calling--> [calling] --accepted/unknown--> [starting]
//!                |  ^                     |   |                     |                              |
//!        expire  |  |                     |   |  already_awake      |                              |
//!        cancel  |  +--retry (no effect)--+---|---------------------+                              |
//!                |                            |                     |                              |
//!                v                            v                     v                              v
//!             [ended: expired, cancelled, already_awake, refused, failed, woken, timed_out, host_lost]
//! ```
//!
//! `force` ends a wake from every state, without waiting for the agent's word: for people, when all else fails.
//!
//! A permit is a row in `dispatched`, `calling` or `starting`: it cannot leak, because leaving the row returns it.
//! [`step()`] is pure: an impossible event is an error with a name, a repeated one changes nothing.

mod event;
mod needs;
mod state;
mod step;

pub use event::{Effect, Event, Illegal};
pub use needs::{Cycle, Needs};
pub use state::{End, Endpoint, Priority, Reason, Run, State, Wake};
pub use step::{RetryRule, step};

#[cfg(test)]
mod tests;
