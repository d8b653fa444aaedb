//! The agents' sessions: who is connected, how loaded, and the way to them.

mod commands;
mod registry;
mod session;

pub use registry::{LiveHost, LoadHour, Registry};
pub use session::{AgentEvent, FleetService};
