//! The connection is reset where an answer should be: before the call had its effect, or after.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug, Clone, Copy)]
pub struct Reset {
    pub has_effect: bool,
}

impl Reset {
    pub(super) fn meet(self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        if self.has_effect {
            exchange.take_effect();
        }
        exchange.reset()
    }
}
