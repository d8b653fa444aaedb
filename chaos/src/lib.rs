//! The proving ground: a simulated world, faults, experiments, judges.
//!
//! `world` and `fault` are what is simulated, `history` is what is written down, `oracle` and `experiment` judge it;
//! `play` puts the real controller and agents into a world, `crash` kills them as real processes, `points` at each point of
//! a course in turn, `storm` measures the throttle when everybody is to be woken at once, `fleet` a controller with thousands
//! of sessions, `local` a world of processes, `failover` what a fault of the leading one of two costs, in containers (`container`); `proxy`
//! breaks real connections, `unruly` endpoints answer as none should; `sandbox` sets up a small installation to try by hand.

pub mod cli;
pub mod container;
pub mod crash;
pub mod experiment;
pub mod failover;
pub mod fault;
pub mod fleet;
pub mod history;
pub mod local;
pub mod machine;
pub mod metric;
pub mod net;
pub mod oracle;
pub mod page;
pub mod planted;
pub mod play;
pub mod points;
pub mod proxy;
pub mod sandbox;
pub mod sim;
pub mod storm;
pub mod unruly;
pub mod world;
