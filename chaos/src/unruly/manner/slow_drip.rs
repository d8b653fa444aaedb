//! The call has its effect, and the body of a good answer comes byte by byte.

use std::{io, time::Duration};

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone, Copy)]
pub struct SlowDrip {
    pub every: Duration,
    /// Bytes of the body: blanks, and `{}` at the end.
    pub bytes: usize,
}

impl SlowDrip {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        exchange.take_effect();
        let bytes = self.bytes.max(2);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n");
        exchange.send(head.as_bytes()).await?;
        let mut body = vec![b' '; bytes - 2];
        body.extend_from_slice(b"{}");
        exchange.drip(&body, self.every).await?;
        exchange.cut().await.map(|_| Ended::Answered { status: 200 })
    }
}
