//! What became of a wake: did its user come, and did the instance serve by then.

mod facts;

mod verdict;

mod judge;

pub use facts::WakeFacts;
pub use judge::{gets_verdict, judge, settles_at};
pub use verdict::{Outcome, Verdict};
