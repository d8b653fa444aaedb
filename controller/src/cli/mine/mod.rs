//! `reveille mine`: what access logs say about visits, offline, without changing anything.

mod args;
mod history;
mod report;
mod table;

mod run;

pub use args::{InstanceChoice, MineArgs};
pub use report::{FileReport, MineReport, TopInstance, Totals};
pub use run::{MineError, run};
