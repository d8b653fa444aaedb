//! All SQL, a file per table. Embedded SQLite in WAL mode; a commit is on disk before anything depends on it.

mod activity;
mod census;
mod error;
mod held_out;
mod hosts;
mod in_service;
mod instances;
mod models;
mod open;
mod outcomes;
mod plans;
mod policy;
mod prune;
mod queued;
mod row;
mod sources;
mod spend;
mod start_curves;
mod transitions;
mod visits;
mod wakes;

pub use error::StoreError;
pub use held_out::HeldOutRow;
pub use hosts::HostRow;
pub use in_service::ServeError;
pub use instances::InstanceRow;
pub use models::{Learned, ModelRow, ModelStatus, Published};
pub use open::Store;
pub use outcomes::OutcomeRow;
pub use plans::{OmissionRow, PlanRow, PlannedRow};
pub use policy::{PolicyChange, PolicyRow};
pub use sources::SourceRow;
pub use spend::DaySpend;
pub use transitions::Transition;
pub use wakes::{NewWake, WakeFilter};

#[cfg(test)]
mod tests;
