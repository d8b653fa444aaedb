//! Policy and forecasts become a plan: which instances are to serve when, and why each other one is left alone.

mod candidate;
mod hold_out;
mod omission;
mod wake_plan;

mod choice;

mod choose;

mod by_score;

mod level;

mod price;

mod cap;

mod make;

#[cfg(test)]
mod odd;

pub use by_score::{SLOT_S, STARTS_WITHIN_S, slot_start};
pub use candidate::{Candidate, Outlook, PlanInput, Presence};
pub use choose::LATE_START_MAX_S;
pub use hold_out::{BLOCK_DAYS, HoldOut, SHARE_MAX, SHARE_MIN};
pub use make::plan;
pub use omission::{HeldOutWake, Omission, OmissionReason, Passed};
pub use price::Price;
pub use wake_plan::{PlannedWake, WakePlan};
