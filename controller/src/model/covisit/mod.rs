//! Co-visits: who tends to come soon after whom. "A just arrived, B usually follows within 40 minutes."
//!
//! Association rules A -> B over arrivals, mined as they happen, in bounded memory: for each instance a few partners
//! (`partners`) and its own weekly rhythm (`rhythm`), which a rule must beat. Instances are only paired within a
//! group, such as a cohort or a host.

mod rule;

mod rhythm;

mod partners;

mod mine;

pub use mine::{Covisits, Triggered};
pub use rule::{Association, CovisitRule};
