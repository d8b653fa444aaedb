//! `bench fleet`: thousands of real sessions on one controller, its restart, and a database that hangs.
//!
//! Controller and agents are processes of their own, so that what one costs is not counted for the other.

mod agent;
mod agents;
mod certificates;
mod controller;
mod followed;
mod process;
mod report;
mod run;
mod tally;

pub use agents::{AgentsSpec, run_agents};
pub use certificates::{Authority, Certified};
pub use report::FleetBench;
pub use run::{DatabaseChoice, FleetSpec, bench};

#[cfg(test)]
mod tests;
