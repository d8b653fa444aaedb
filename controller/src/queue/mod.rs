//! Rules of the queue: who goes first, when a failed attempt is tried again. The rows live in `store/wakes.rs`.

mod backoff;
mod board;
mod budget;
mod order;
mod reserved;

pub use backoff::backoff;
pub use board::{Board, Queued};
pub use budget::RetryBudget;
pub use order::{Rank, rank};
pub use reserved::Reserved;
