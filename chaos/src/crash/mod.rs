//! Kills real processes at random points under a load of wakes, and counts what became of every wake.
//!
//! Controller, two agents and two wake endpoints are processes of their own (this binary, started again as `node`).
//! What an endpoint did is one appended line in a file, so that it outlives the endpoint; whether an instance serves
//! follows from that file alone and is answered by a server that is never killed.

pub mod cluster;
pub mod effects;
pub mod endpoint;
pub mod node;
pub mod outcome;
pub mod page;
pub mod run;
pub mod wanted;

pub use node::NODE;
pub use outcome::CrashOutcome;
pub use run::{CrashSpec, crash, crash_watched};
