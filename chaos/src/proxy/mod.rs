//! A TCP proxy with faults: real sockets, toxics that prove that they bit, leases that end them by themselves.
//!
//! ```text
//!  client ──► listener ──► connection ──► link (upstream)   ──► chain of toxics ──► server
//!         ◄──                         ◄── link (downstream) ◄── chain of toxics ◄──
//!                              ▲ follow
//!  api ──► registry ──► plan of each proxy, journal of faults, leases
//! ```
//! It speaks the HTTP API of Toxiproxy 2, so that clients of that drive it. A stage does no IO; a link is one task with
//! bounded buffers, whatever toxics are in it.

mod address;
pub mod api;
mod chain;
mod connection;
mod draw;
mod fault;
mod hits;
mod lease;
mod link;
mod listed;
mod listener;
mod piece;
mod plan;
mod refusal;
mod registry;
mod request;
mod server;
mod settings;
mod stage;
#[cfg(test)]
mod tests;
pub mod toxics;

pub use self::{
    address::AddressError,
    fault::{FaultId, FaultView, RemovedBy},
    hits::Bitten,
    lease::lease_length,
    listed::{ProxyView, ToxicView},
    plan::Stream,
    refusal::Refusal,
    registry::{Journal, Registry},
    request::{NewProxy, NewToxic, ProxyChange, ToxicChange},
    server::Server,
    settings::Settings,
};
