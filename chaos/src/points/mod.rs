//! Crash anywhere: controller and agents die at each point of a course in turn, are started again, and everything that was
//! seen is judged.
//!
//! The course passes through every move of a wake and everything that follows from one. The processes are real, tell every
//! point they pass, and abort at the one they were told. Endpoints, instances and the tap on the link live on.

pub mod calls;
pub mod course;
pub mod desk;
pub mod files;
pub mod key;
mod last_look;
pub mod leftover;
pub mod nodes;
mod person;
pub mod plant;
pub mod ports;
pub mod report;
pub mod roles;
pub mod run;
pub mod stage;
pub mod sweep;
pub mod watch;
pub mod witness;

pub use key::PointKey;
pub(crate) use last_look::ends_in_metrics;
pub use plant::Plant;
pub use report::Sweep;
pub use roles::Role;
pub use run::{RunOutcome, RunSpec, run};
pub use stage::Stage;
pub use sweep::{CourseDatabase, SweepSpec, sweep};
pub use witness::PointArgs;
