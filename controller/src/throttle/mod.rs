//! How many wakes a host may run now: measured CPU, and what running wakes will still cost.

mod admit;
mod curve;
mod pace;
mod rule;

pub use admit::{Admission, Closed, HostGate, Permit, Running, admit};
pub use curve::{Course, STEP_S, STEPS, StartCurve, Step, WAKES_KNOWN};
pub use pace::{Measurement, Pace, Room, Started};
pub use rule::ThrottleRule;
