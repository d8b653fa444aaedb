//! The call is read and never answered; the line stays open until the caller gives up.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone, Copy)]
pub struct Silent {
    pub has_effect: bool,
}

impl Silent {
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        if self.has_effect {
            exchange.take_effect();
        }
        exchange.stay_silent().await
    }
}
