//! An error of the server on a share of the calls; no effect for them.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use rand::{RngExt, rngs::StdRng};

use crate::unruly::{exchange::Exchange, record::Ended};

#[derive(Debug)]
pub struct ServerError {
    status: u16,
    share: f64,
    rng: Box<Mutex<StdRng>>,
}

impl ServerError {
    /// `status` on `share` (0-1) of the calls.
    pub fn new(status: u16, share: f64, rng: StdRng) -> Self {
        Self { status, share: share.clamp(0.0, 1.0), rng: Box::new(Mutex::new(rng)) }
    }

    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        let bites = self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_bool(self.share);
        if !bites {
            return exchange.accept().await;
        }
        exchange.bite();
        exchange.answer(self.status, &[], b"").await
    }
}
