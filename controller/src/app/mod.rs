//! All wiring: config -> build -> run -> drain.

mod build;
mod metrics;
mod shared;

pub use build::{App, AppError, Seams};
pub use metrics::Metrics;
pub use shared::{PolicyChangeError, Shared, Signals};

#[cfg(test)]
mod tests;
