//! The call has its effect, and the head of the answer never ends: one more header, byte by byte.

use std::{io, time::Duration};

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone, Copy)]
pub struct SlowHeaders {
    pub every: Duration,
}

impl SlowHeaders {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        exchange.take_effect();
        exchange.send(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            exchange.drip(b"x-wait: a\r\n", self.every).await?;
        }
    }
}
