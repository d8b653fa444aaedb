//! Connections as they come in: with TLS, each after its handshake.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Certificates, Face, Wire};

/// A client that does not get through its handshake is left by then, in real time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes under way at once: no client waits for another's, and clients that stall cannot use up all memory. Of more,
/// the oldest is left: who means it is through in a few milliseconds.
const HANDSHAKES_MAX: usize = 1024;
/// Ready connections that wait to be served.
const READY_MAX: usize = 64;
/// The system is out of files or memory: looking again at once would only use more.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Connections to one listener.
#[derive(Debug)]
pub struct Incoming {
    local: SocketAddr,
    ready: mpsc::Receiver<(Wire, SocketAddr)>,
}

impl Incoming {
    /// Accepts until `shutdown`; without certificates, in the clear. `unshaken` hears of each handshake that came to
    /// nothing: `refused`, `late` or `crowded_out`.
    pub fn new<F: Fn(&'static str) + Clone + Send + Sync + 'static>(
        listener: TcpListener,
        certificates: Option<Certificates>,
        face: Face,
        unshaken: F,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (ready, receiver) = mpsc::channel(READY_MAX);
        let accepting = accept(listener, certificates, face, unshaken, ready);
        tokio::spawn(shutdown.run_until_cancelled_owned(accepting));
        Ok(Self { local, ready: receiver })
    }

    /// Connections that were made elsewhere. `local` is only told.
    pub fn given(local: SocketAddr, ready: mpsc::Receiver<(Wire, SocketAddr)>) -> Self {
        Self { local, ready }
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next one, and where it comes from; `None` when the controller goes down.
    pub async fn next_from(&mut self) -> Option<(Wire, SocketAddr)> {
        self.ready.recv().await
    }
}

async fn accept<F: Fn(&'static str) + Clone + Send + Sync + 'static>(
    listener: TcpListener,
    certificates: Option<Certificates>,
    face: Face,
    unshaken: F,
    ready: mpsc::Sender<(Wire, SocketAddr)>,
) {
    let mut under_way = UnderWay::default();
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Messages are small, and each is wanted at once.
        tcp.set_nodelay(true).ok();
        let Some(certificates) = &certificates else {
            if ready.send((Wire::Plain(tcp), peer)).await.is_err() {
                return;
            }
            continue;
        };
        if under_way.make_room() {
            unshaken("crowded_out");
        }
        let acceptor = TlsAcceptor::from(certificates.terms(face));
        let (shaken, into) = (shake_hands(acceptor, tcp, peer), ready.clone());
        let unshaken = unshaken.clone();
        let handshake = tokio::spawn(async move {
            match shaken.await {
                // Once through, it is not left for others any more. Nobody serves it when the controller goes down.
                Ok(wire) => drop(tokio::spawn(async move { into.send((wire, peer)).await })),
                Err(why) => unshaken(why),
            }
        });
        under_way.0.push_back(handshake.abort_handle());
    }
}

/// Handshakes, the oldest first.
#[derive(Debug, Default)]
struct UnderWay(VecDeque<AbortHandle>);

impl UnderWay {
    /// Makes room for one more; says whether one had to be left for it.
    fn make_room(&mut self) -> bool {
        if self.0.len() < HANDSHAKES_MAX {
            return false;
        }
        self.0.retain(|handshake| !handshake.is_finished());
        if self.0.len() < HANDSHAKES_MAX {
            return false;
        }
        let oldest = self.0.pop_front();
        oldest.inspect(AbortHandle::abort).is_some()
    }
}

async fn shake_hands(acceptor: TlsAcceptor, tcp: TcpStream, peer: SocketAddr) -> Result<Wire, &'static str> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => Ok(Wire::Tls(Box::new(tls))),
        Ok(Err(error)) => {
            debug!(%peer, %error, "a client did not get through the TLS handshake");
            Err("refused")
        }
        Err(_) => {
            debug!(%peer, "a client did not end the TLS handshake in time");
            Err("late")
        }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Wire>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|ready| ready.map(|(wire, _)| Ok(wire)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_too_many_handshakes_the_oldest_is_left_and_those_that_are_over_count_for_nothing() {
        let mut under_way = UnderWay::default();
        let oldest = tokio::spawn(std::future::pending::<()>());
        under_way.0.push_back(oldest.abort_handle());
        let over = tokio::spawn(async {});
        under_way.0.push_back(over.abort_handle());
        over.await.expect("over");
        while !under_way.make_room() {
            under_way.0.push_back(tokio::spawn(std::future::pending::<()>()).abort_handle());
            assert!(under_way.0.len() <= HANDSHAKES_MAX);
        }
        assert!(oldest.await.expect_err("left").is_cancelled());
        assert_eq!(under_way.0.len(), HANDSHAKES_MAX - 1);
    }
}
