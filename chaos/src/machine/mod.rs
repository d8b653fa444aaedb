//! `bench host`: this very machine filled with real processes, and the CPU seen from outside.

mod background;
mod observer;
mod ours;
mod peers;
mod report;
mod run;

pub use background::burn_share;
pub(crate) use observer::cpu_s_of;
pub use report::{HostBench, HostRow};
pub use run::{HostSpec, bench};
