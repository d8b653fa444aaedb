//! All SQL, a file per table, the same for embedded SQLite and for PostgreSQL. A commit is on disk before anything
//! depends on it.

mod activity;
mod backend;
mod census;
mod controllers;
mod database;
mod error;
mod fresh;
mod held_out;
mod hellos;
mod hosts;
mod in_service;
mod instances;
mod leases;
mod migrate;
mod models;
mod moves;
mod notifications;
mod open;
mod outbox;
mod outcomes;
mod plan_keep;
mod plans;
mod policy;
mod pool;
mod prune;
mod queue;
mod queued;
mod requests;
mod retry;
mod row;
mod rows;
mod skip_locked;
mod sources;
mod spend;
mod start_curves;
mod steps;
mod transitions;
mod tx;
mod visits;
mod wake_row;
mod wakes;

use backend::Backend;
pub use controllers::ControllerRow;
pub use database::{Database, DatabaseUrl};
pub use error::StoreError;
pub use fresh::FreshDatabases;
pub use held_out::HeldOutRow;
pub use hellos::{Greeting, Said};
pub use hosts::{HostLoad, HostRow};
pub use in_service::ServeError;
pub use instances::InstanceRow;
pub use leases::{Fence, Lease};
pub use migrate::MigrationRow;
pub use models::{Learned, ModelRow, ModelStatus, Published};
pub use moves::{Moved, Sessions, WakeMove};
pub use notifications::{NotificationFilter, NotificationRow};
pub use open::Store;
pub use outbox::{Outgoing, Sent};
pub use outcomes::OutcomeRow;
pub use plans::{OmissionRow, PlanRow, PlannedRow};
pub use policy::{PolicyChange, PolicyRow};
pub use queue::Rank;
pub use requests::NewWake;
pub use skip_locked::SkipLocked;
pub use sources::SourceRow;
pub use spend::DaySpend;
pub use steps::Stepped;
pub use transitions::Transition;
use tx::Tx;
pub use wakes::WakeFilter;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
