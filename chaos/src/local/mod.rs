//! A local world: controller and agents are processes on loopback, with real sockets and a real database, and the process that
//! keeps the world ends all of it when whoever runs the experiment is gone.
//!
//! ```text
//!  runner ──orders, renews the lease──► keeper ──starts, stops, kills──► controller, agents
//!                                         │ holds the world's clock, the endpoints, the lines and what is counted on them
//!  agent ──TCP──► proxy ──TCP──► line, tap, line ──TCP──► controller
//! ```
//! The keeper is another process than the runner, so that the death of the runner ends what it began. Its own death ends its
//! processes too: the kernel kills them. What is left then, a directory, the next keeper removes.

mod bridge;
mod desk;
mod door;
mod installation;
mod lease;
mod lever;
mod lock;
mod node;
mod place;
mod process;
mod running;
mod told;
mod wires;
mod yard;

use crate::{
    experiment::{
        catalogue::{CATALOGUE, FaultKind, KindInfo},
        file::RunMode,
    },
    sim::Planned,
};

pub use installation::LocalSpec;
pub(crate) use installation::{COPY, Installation, Names, Setting};
pub use lease::Lease;
pub use lever::{Pulled, pull};
pub(crate) use lock::WriteLock;
pub use node::LocalArgs;
pub(crate) use node::{agent, controller};
pub(crate) use place::Place;
pub(crate) use running::Running;

/// Every kind of fault that a world of processes takes in this mode, with its parameters as they are by default.
pub fn kinds(mode: RunMode) -> impl Iterator<Item = &'static KindInfo> {
    CATALOGUE.iter().filter(move |info| {
        let what = FaultKind::read(info.name, &serde_json::Map::new());
        let planned = |what| Planned { at_s: 0, for_s: 1, hosts: Vec::new(), instances: Vec::new(), what };
        what.is_ok_and(|what| planned(what).is_playable_by(mode))
    })
}

/// Whether it is met at a proxy between an agent and the rest.
pub(crate) fn is_of_proxies(what: &FaultKind) -> bool {
    wires::toxic(what, 1.0).is_some()
}
