//! What the agent is told by its own host: who it is, what it may wake and how. No URL or credential leaves it.

mod addresses;
mod cpu_group;
mod driver;
mod endpoints;
mod error;
mod file;
mod instance;
mod secret;
mod sections;
mod status;

pub use self::{
    addresses::{Addresses, is_tls},
    cpu_group::{CpuGroup, CpuGroupMode},
    driver::{Driver, Endpoint, Expect, HttpReadiness, ProcessDriver, Readiness, StatusRange, TcpReadiness},
    endpoints::Endpoints,
    error::ConfigError,
    instance::{IdRange, Ids, Instance, InstanceTemplate},
    secret::{FromEnv, FromFile, SecretText},
    sections::{Config, Controller, Guard, LoadSection, MetricsSection},
    status::{Status, StatusWord},
};
