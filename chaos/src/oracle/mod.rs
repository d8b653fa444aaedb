//! The judges: one file per invariant, each looking at a recorded history and at nothing else.

mod exactness;
pub mod s1_slots;
pub mod s2_fail_closed;
pub mod s3_preflight;
pub mod s4_one_effect;
pub mod s5_one_end;
pub mod s6_one_leader;
mod settings;
#[cfg(test)]
mod told;
mod verdict;

pub use exactness::Exactness;
pub use settings::Settings;
pub use verdict::{Checked, Violation, check_all};
