//! The proving ground put to the proof: each defect of a list is planted in the real programs, and the simulation must find it.
//!
//! [`defects`] is the list, `hunt` plays seeds until a defect is found and makes the plan small, `kept` is the corpus of those
//! plans, `report` tells of them. All but the list is only there with the feature `planted`.

pub mod defects;
#[cfg(feature = "planted")]
pub mod hunt;
#[cfg(feature = "planted")]
pub mod kept;
#[cfg(feature = "planted")]
pub mod report;

pub use defects::{DEFECTS, Defect};
