//! 429 with whatever is said of when to come back; no effect.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone)]
pub struct Throttled {
    /// The value of `Retry-After`, well formed or not; none, and there is no such header.
    pub retry_after: Option<String>,
}

impl Throttled {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        let header = self.retry_after.as_deref().map(|value| ("retry-after", value));
        exchange.answer(429, header.as_slice(), b"").await
    }
}
