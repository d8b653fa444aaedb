//! The operator's commands, and the one that serves.

mod args;

mod exit;

mod failure;

mod run;

mod screen;

mod target;

mod client;

mod session;

mod serve;

mod logging;

mod config;

mod database;

mod store;

mod train;

mod models;

mod notifications;

mod forecast;

mod explain;

mod plan;

mod wake;

mod gate;

mod wakes;

mod fleet;

mod policy;

mod report;

pub mod mine;

pub mod backtest;

pub mod bench;

mod whatif;

pub use args::Cli;
pub use exit::{EXITS, Exit};
pub use run::main_with;

#[cfg(test)]
mod tests;
