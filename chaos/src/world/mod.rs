//! A world to wake: simulated hosts, instances and users, real sockets, real log lines, a real link.
//!
//! Everything below `state` is stepped in whole seconds and draws from seeded streams; `live` ties it to a clock, and
//! `endpoints`, `link`, `load` and `access_log` are where the system under test touches it.

pub mod access_log;
pub mod agenda;
pub mod background;
pub mod boot;
pub mod chance;
pub mod endpoints;
mod feed;
pub mod hosts;
pub mod instances;
pub mod lines;
pub mod link;
pub mod live;
pub mod missing;
mod odd;
pub mod presence;
pub mod spec;
pub mod state;
pub mod switch;
pub mod token;
pub mod users;
mod watched;

pub use access_log::AccessLog;
pub use background::BackgroundSpec;
pub use boot::BootSpec;
pub use chance::stream;
pub use endpoints::{IDEMPOTENCY_HEADER, router, serve};
pub use hosts::HostRecord;
pub use instances::{CallEffect, SleepRule};
pub use lines::{TEMPLATE, VHOST_SUFFIX, WAKE_REQUEST_PATH};
pub use link::Tap;
pub use live::Live;
pub use missing::Missing;
pub use spec::{WorldSpec, host_id, index_of, instance_id};
pub use state::{Glance, World};
pub use switch::{Muddle, Switch, Way};
pub use users::UserRecord;
