//! What Reveille achieved, beside what was before it and what a replay says.

mod baseline;

mod scorecard;

mod notes;

mod table;

pub mod plot;

pub mod backtest;

pub use baseline::{BASELINE_DAYS, CohortBaseline};
pub use scorecard::{HostPeak, ReportInput, Scorecard, WakeRecord, scorecard};
pub use table::{STYLE, render};
