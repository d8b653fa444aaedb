//! The plan put to the test on recorded presence: what it would have woken, and who would have found it awake.
//!
//! Rules are replayed hour by hour (`HourProfile::fit`, `forecast`, `plan`), the fitted model by quarter hours
//! (`Profile`, `Scorer`, `plan`, `Price`): always the production code, always on what was past by then.

mod presence;

mod phase;

mod score;

mod replay;

mod calibration;

mod budget;

mod fitted;

pub use budget::BudgetRun;
pub use calibration::{CALIBRATION_BINS, Calibration, Reliability};
pub use fitted::{FittedReplay, FittedRun, replay_fitted};
pub use phase::{offsets_s, shift_to_local};
pub use presence::{ACTIVE_DAYS_WINDOW, BOOT_S, HOLD_S, IDLE_S, Traced, WINDOW_S};
pub use replay::{Replay, ReplayedWake, replay};
pub use score::{Score, Tally};

#[cfg(test)]
mod tests;
