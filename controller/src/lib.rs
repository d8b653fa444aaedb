//! Holds the model, decides, throttles, remembers, shows.
//!
//! The rooms stand in the order data meets them:
//! access logs -> visits -> profile -> forecast -> plan -> queue -> throttle -> agent -> ... -> outcome -> report.
//! Pure rooms (`visits`, `model`, `plan`, `wake`, `queue`, `throttle`, `outcome`, `notify`, `report`) do no IO, read no
//! clock and draw no random numbers: time and seeds come in as arguments.

pub mod api;
pub mod app;
pub mod calendars;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod fleet;
pub mod lease;
pub mod logs;
pub mod memory;
pub mod model;
pub mod notify;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod postgres;
pub mod queue;
pub mod report;
pub mod store;
pub mod tasks;
pub mod throttle;
pub mod tls;
pub mod visits;
pub mod wake;
