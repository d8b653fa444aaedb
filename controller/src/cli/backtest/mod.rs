//! `reveille backtest`: replays a presence trace through the production planner and scores what it would have done.

mod args;

mod fitted_args;

mod trace;

mod report;

mod model;

mod fitted;

mod plots;

mod run;

pub use args::BacktestArgs;
pub use fitted::{AblationRow, FittedPart, FrontierRow};
pub use fitted_args::FittedArgs;
pub use model::ModelUsed;
pub use report::{BacktestReport, Budget, Row};
pub use run::{BacktestError, run};
pub use trace::{RejectedRow, TraceError};
