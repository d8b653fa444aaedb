//! `bench queue`: how fast wakes are decided on, committed and sent, and how late one is sent that comes due.

mod arena;
mod measure;
mod report;

pub(super) use measure::measure;
pub use report::{QueueBench, QueueRow};
