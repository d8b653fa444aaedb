//! The call has its effect, and the line is cut in order before the answer is whole.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone, Copy)]
pub struct LostResponse {
    /// The head of a good answer comes through, and half of its body.
    pub half: bool,
}

impl LostResponse {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        exchange.take_effect();
        if self.half {
            let half =
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"state\":";
            exchange.send(half).await?;
        }
        exchange.cut().await
    }
}
