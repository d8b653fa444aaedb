//! The plan put to the test on recorded presence: what it would have woken, and who would have found it awake.
//!
//! The replay runs the production code (`HourProfile::fit`, `forecast`, `plan`) hour by hour, on past days only.

mod presence;

mod phase;

mod score;

mod replay;

pub use phase::shift_to_local;
pub use presence::{ACTIVE_DAYS_WINDOW, BOOT_S, HOLD_S, IDLE_S, Traced, WINDOW_S};
pub use replay::{Replay, ReplayedWake, replay};
pub use score::{Score, Tally};
