//! `bench failover`: two controllers on PostgreSQL in containers, and what a fault of the one that leads costs.
//!
//! Under load the leader is killed, stopped for longer than its lease, or cut off from the database, or the database itself
//! is killed and started again. What happened is told by those who are never touched: the endpoints' side of the socket,
//! in this process, and a watcher beside the database that reads the lease by the database's clock.

mod controllers;
mod count;
mod endpoint;
mod fault;
mod files;
mod lease;
mod ledger;
mod load;
mod outcome;
mod round;
mod run;
mod steady;
mod table;
mod world;

pub use fault::Fault;
pub use outcome::{FailoverOutcome, GOAL_S};
pub use round::Round;
pub use run::{FailoverSpec, failover, failover_watched};
