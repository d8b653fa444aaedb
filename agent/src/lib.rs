//! Beside each host: measure load, obey a wake, refuse when hot, report.
//!
//! The agent dials out ([`link`]), says how loaded the host is ([`load`]), carries out the wakes it is told to
//! ([`execute`]) through the endpoints its own configuration names ([`driver`]). It decides nothing; it may only refuse.

pub mod config;

pub mod group;

pub mod load;

pub mod driver;

pub mod execute;

pub mod link;

pub mod metrics;

pub mod app;

pub mod cli;

mod chain;

mod notify;
