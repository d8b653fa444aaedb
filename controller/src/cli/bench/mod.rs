//! `reveille bench`: what planning and asking cost on a fleet of any size, made up from a seed.

mod args;

mod model;

mod fleet;

mod peer;

mod stream;

mod tick;

mod visits;

mod queries;

mod resident;

mod report;

mod run;

pub use args::BenchArgs;
pub use report::{ForecastBench, ScalingRow};
pub use run::{BenchError, run};
