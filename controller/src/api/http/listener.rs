//! Connections to the HTTP API, with TLS or without, as axum takes them.

use std::{io, net::SocketAddr};

use axum::serve::Listener;

use crate::tls::{Incoming, Wire};

impl Listener for Incoming {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        match self.next_from().await {
            Some(ready) => ready,
            // Going down: nobody comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(Self::local_addr(self))
    }
}
