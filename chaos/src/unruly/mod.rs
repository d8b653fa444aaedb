//! Wake endpoints that misbehave on a raw socket: resets, silence, answers that drip, garbage, and no answer to a call
//! that had its effect.
//!
//! What they did, they write down themselves, from their own side of the socket: the ground truth for whoever called.

mod endpoint;
mod exchange;
pub mod manner;
mod posted;
mod record;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use self::request::Request;
pub use self::{
    endpoint::Unruly,
    manner::Manner,
    record::{Effect, Ended, Seen},
};
