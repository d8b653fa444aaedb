//! Rules of the queue: who goes first, when a failed attempt is tried again. The rows live in `store/wakes.rs`.

mod backoff;
mod order;

pub use backoff::backoff;
pub use order::{Rank, rank};
