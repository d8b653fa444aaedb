//! Policy and forecasts become a plan: which instances are to serve when, and why each other one is left alone.

mod candidate;
mod omission;
mod wake_plan;

mod choose;

mod cap;

mod make;

pub use candidate::{Candidate, PlanInput, Presence};
pub use choose::LATE_START_MAX_S;
pub use make::plan;
pub use omission::{Omission, OmissionReason};
pub use wake_plan::{PlannedWake, WakePlan};
