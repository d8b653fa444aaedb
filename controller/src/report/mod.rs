//! What Reveille achieved, beside what was before it and what a replay says.

mod baseline;

mod before_after;

mod scorecard;

mod notes;

mod table;

mod proof;

pub mod effect;

pub mod plot;

pub mod backtest;

pub mod whatif;

pub use baseline::{BASELINE_DAYS, CohortBaseline};
pub use before_after::{BeforeAfter, Stretch};
pub use scorecard::{HostPeak, ReportInput, Scorecard, WakeRecord, scorecard};
pub use table::{STYLE, render};
