//! All wiring: config -> build -> run -> drain.

mod board;
mod build;
mod learned;
mod metrics;
mod office;
mod receivers;
mod shared;

pub use board::SharedBoard;
pub(crate) use build::lock;
pub use build::{App, AppError, Doors, Seams};
pub use learned::{FITTED_LEAD_S, Learned, Mind, scored_at};
pub use metrics::Metrics;
pub use office::{Levers, Office};
pub use receivers::ReceiverRests;
pub use shared::{PolicyChangeError, Shared, Signals};

#[cfg(test)]
mod tests;
