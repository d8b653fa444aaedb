//! 401 to everybody whose token is not the one of today; no effect for them.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone)]
pub struct ExpiredAuth {
    /// Header the token comes in, in lower case.
    pub header: String,
    /// The only one that is taken.
    pub token: String,
}

impl ExpiredAuth {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        if exchange.header(&self.header) == Some(&self.token) {
            return exchange.accept().await;
        }
        exchange.bite();
        exchange.answer(401, &[("www-authenticate", "Bearer")], b"").await
    }
}
