//! `reveille bench`: what planning, asking and dispatching cost on a fleet of any size, made up.

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

mod queue;

mod run;

pub use args::BenchArgs;
pub use queue::{QueueBench, QueueRow};
pub use report::{ForecastBench, ScalingRow};
pub use run::{BenchError, run};
