//! All wiring: config -> build -> run -> drain.

mod metrics;
mod shared;

pub use metrics::Metrics;
pub use shared::{PolicyChangeError, Shared, Signals};
