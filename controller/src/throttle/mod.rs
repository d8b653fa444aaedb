//! How many wakes a host may run now: measured CPU, and what running wakes will still cost.

mod admit;
mod rule;

pub use admit::{Admission, Closed, HostGate, Permit, Running, admit};
pub use rule::ThrottleRule;
