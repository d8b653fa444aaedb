//! One request and what is made of it: the tools of every manner.

use std::{io, time::Duration};

use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    posted::Posted,
    record::{Books, Effect, Ended},
    request::Request,
};

/// A request that was read to its end, on its socket.
pub(super) struct Exchange<'a> {
    pub(super) socket: TcpStream,
    pub(super) request: Request,
    pub(super) instance: String,
    pub(super) at: Timestamp,
    pub(super) had_effect: bool,
    pub(super) books: &'a Books,
    pub(super) posted: &'a Posted,
}

impl std::fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Exchange<'_> {
    /// The manner bites here.
    pub(super) fn bite(&self) {
        self.posted.bite();
    }

    /// The instance begins to come up; it is in the books from now on.
    pub(super) fn take_effect(&mut self) {
        let (wake, idem) = (self.wake(), self.idem());
        let effect = Effect { at: self.at, instance: self.instance.clone(), wake, idem };
        self.books.effect(effect, Instant::now());
        self.had_effect = true;
    }

    pub(super) fn wake(&self) -> Option<String> {
        self.request.parameter("wake").map(str::to_owned)
    }

    pub(super) fn idem(&self) -> Option<String> {
        self.request.header(crate::world::IDEMPOTENCY_HEADER).map(str::to_owned)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// A whole answer with these headers.
    pub(super) async fn answer(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Ended> {
        let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
        let (len, more) = (body.len(), headers.iter().map(line).collect::<String>());
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {len}\r\nconnection: close\r\n{more}\r\n");
        self.send(head.as_bytes()).await?;
        self.send(body).await?;
        self.socket.shutdown().await?;
        Ok(Ended::Answered { status })
    }

    /// The answer of an endpoint that behaves.
    pub(super) async fn accept(&mut self) -> io::Result<Ended> {
        self.take_effect();
        self.answer(202, &[("content-type", "application/json")], br#"{"state": "booting"}"#).await
    }

    /// One byte after the other, until all are sent.
    pub(super) async fn drip(&mut self, bytes: &[u8], every: Duration) -> io::Result<()> {
        for byte in bytes {
            sleep(every).await;
            self.send(std::slice::from_ref(byte)).await?;
        }
        Ok(())
    }

    /// Ends the connection with a real RST.
    pub(super) fn reset(&self) -> io::Result<Ended> {
        self.socket.set_zero_linger()?;
        Ok(Ended::Reset)
    }

    /// Ends the connection in order, whatever was promised.
    pub(super) async fn cut(&mut self) -> io::Result<Ended> {
        self.socket.shutdown().await?;
        Ok(Ended::Cut)
    }

    /// Says nothing until the caller hangs up.
    pub(super) async fn stay_silent(&mut self) -> io::Result<Ended> {
        let mut ignored = [0u8; 1024];
        while self.socket.read(&mut ignored).await? > 0 {}
        Ok(Ended::HungUp)
    }
}
