//! The judges: one file per invariant, each looking at a recorded history and at nothing else.

mod exactness;
pub mod l1_ends;
pub mod l2_looked_at;
pub mod l3_streams;
pub mod l4_nothing_left;
pub mod s10_books;
pub mod s12_kept;
pub mod s13_addressed;
pub mod s14_waiting;
pub mod s15_attempts;
pub mod s1_slots;
pub mod s2_fail_closed;
pub mod s3_preflight;
pub mod s4_one_effect;
pub mod s5_one_end;
pub mod s6_epochs;
pub mod s6_one_leader;
pub mod s7_lever;
pub mod s8_schedule;
mod seen;
mod sessions;
mod settings;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod told;
mod verdict;

pub use exactness::Exactness;
pub use settings::Settings;
pub use verdict::{
    Checked, Violation, check_all, check_course, check_experiment, check_linked, check_simulated,
};
