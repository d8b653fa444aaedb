//! `reveille backtest`: replays a presence trace through the production planner and scores what it would have done.

mod args;

mod trace;

mod report;

mod run;

pub use args::BacktestArgs;
pub use report::{BacktestReport, Row};
pub use run::{BacktestError, run};
pub use trace::{RejectedRow, TraceError};
