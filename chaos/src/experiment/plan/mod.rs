//! From an experiment to a plan: who exactly is hit, frozen and hashed before anything is touched.

mod approval;
mod draw;
mod evidence;
mod freeze;
mod reach;
mod resolve;
mod rung;
mod table;

pub use approval::{Approval, NotApproved};
pub use freeze::{FORMAT, FrozenFault, FrozenTarget, Plan, freeze, freeze_on};
pub use reach::{Reach, widest};
pub use resolve::{PlanError, Resolved, resolve};
pub use rung::{Evidence, Unlocked, unlocked, unlocked_in};
