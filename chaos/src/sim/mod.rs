//! Days in seconds: the real controller and real agents under a clock that leaps from one event to the next, without a
//! socket, and with the same history for the same seed.

pub mod corpus;
mod draw;
pub mod fault;
mod inject;
mod life;
pub mod lineage;
mod looks;
mod night;
pub mod node;
pub mod outcome;
mod pages;
mod person;
pub mod plan;
pub(crate) mod play;
mod receiver;
pub mod report;
pub mod room;
pub mod run;
pub mod shrink;
pub mod stage;
pub mod sweep;
pub mod written;

pub use corpus::Corpus;
pub use fault::Planned;
pub use outcome::SimOutcome;
pub use plan::Plan;
pub use run::run;
pub(crate) use run::{play_recorded, recorded};
pub use sweep::{Sweep, SweepSpec, sweep};
