//! What the agent is told by its own host: who it is, what it may wake and how. No URL or credential leaves it.

mod driver;
mod error;
mod file;
mod instance;
mod secret;
mod sections;
mod status;

pub use self::{
    driver::{Driver, Endpoint, Expect, HttpReadiness, ProcessDriver, Readiness, StatusRange, TcpReadiness},
    error::ConfigError,
    instance::{IdRange, Ids, Instance, InstanceTemplate},
    secret::{FromEnv, FromFile, SecretText},
    sections::{Config, Controller, CpuGroup, CpuGroupMode, Endpoints, Guard, LoadSection, MetricsSection},
    status::{Status, StatusWord},
};
