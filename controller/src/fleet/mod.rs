//! The agents' sessions: who is connected, how loaded, what starts there, and the way to them.

mod commands;
mod entry;
mod greeter;
mod host_clock;
mod inventory;
mod live;
mod registry;
mod session;
mod starts;
mod tally;
mod unheard;

pub use commands::{Outbox, next_wake};
pub use greeter::Greeter;
pub use host_clock::HostClock;
pub use live::LiveHost;
pub use registry::{Ask, Granted, LoadHour, Registry};
pub use session::{AgentEvent, FleetService};
pub use starts::{Over, Permitted};

#[cfg(test)]
mod tests;
