//! The call is answered as ever; the instance serves much later.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct LateUp {
    /// In addition to the time it takes anyway.
    pub later: Duration,
}
