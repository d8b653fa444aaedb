//! Plays a world with the real controller and real agents in it, and judges what happened.

pub mod agents;
pub mod audit;
pub mod control;
pub mod controller;
pub mod figures;
pub mod load;
pub mod outcome;
pub mod progress;
pub mod pulse;
pub mod run;
pub mod spec;
pub mod table;
pub mod watch;

pub use outcome::Played;
pub use progress::Progress;
pub use run::play;
pub use spec::{FaultSpec, PlaySpec};
