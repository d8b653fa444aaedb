//! One wake: guard, preflight, drive, wait until it serves, report. A journal makes repeated commands harmless.
//!
//! ```text
//! received -> (guard) -> (preflight) -> eligible -> calling* -> accepted | unknown -> (serves | deadline | cancel) -> done*
//!      *: on disk before the next step
//! ```
//! After `calling` nobody calls again: neither a second command, nor a new attempt, nor the agent after a restart.

mod attempt;
mod book;
mod entry;
mod executor;
mod guard;
#[cfg(test)]
mod harness;
pub mod journal;
mod order;
mod preflight;
mod record;
mod report;
mod running;
mod seen;
#[cfg(test)]
mod tests;

pub use self::{
    book::Book,
    entry::{Ending, Entry, Next},
    executor::{Executor, Parts},
    guard::{Limits, Refusal},
    order::Order,
    record::Record,
};
