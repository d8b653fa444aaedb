//! How many wakes a host may run now: measured CPU, and what running wakes will still cost.

mod admit;
mod closed;
mod curve;
mod curves;
mod gate;
mod pace;
mod rule;

pub use admit::{Admission, Outlook, Permit, Running, admit};
pub use closed::Closed;
pub use curve::{Course, STEP_S, STEPS, StartCurve, Step, WAKES_KNOWN};
pub use curves::{ClassName, Curves};
pub use gate::HostGate;
pub use pace::{Measurement, Pace, Room, Started};
pub use rule::ThrottleRule;
