//! Connections as they come in: with TLS, each after its handshake.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Certificates, Face, Wire};

/// A client that does not get through its handshake is left by then, in real time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes under way at once: no client waits for another's, and clients that stall cannot use up all memory.
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
    /// Accepts until `shutdown`; without certificates, in the clear.
    pub fn new(
        listener: TcpListener,
        certificates: Option<Certificates>,
        face: Face,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (ready, receiver) = mpsc::channel(READY_MAX);
        tokio::spawn(shutdown.run_until_cancelled_owned(accept(listener, certificates, face, ready)));
        Ok(Self { local, ready: receiver })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next one, and where it comes from; `None` when the controller goes down.
    pub async fn next_from(&mut self) -> Option<(Wire, SocketAddr)> {
        self.ready.recv().await
    }
}

async fn accept(
    listener: TcpListener,
    certificates: Option<Certificates>,
    face: Face,
    ready: mpsc::Sender<(Wire, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
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
        let acceptor = TlsAcceptor::from(certificates.terms(face));
        let ready = ready.clone();
        tokio::spawn(async move {
            let shaken = shake_hands(acceptor, tcp, peer).await;
            drop(place);
            if let Some(wire) = shaken {
                // Nobody serves any more when the controller goes down.
                ready.send((wire, peer)).await.ok();
            }
        });
    }
}

async fn shake_hands(acceptor: TlsAcceptor, tcp: TcpStream, peer: SocketAddr) -> Option<Wire> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => Some(Wire::Tls(Box::new(tls))),
        Ok(Err(error)) => {
            debug!(%peer, %error, "a client did not get through the TLS handshake");
            None
        }
        Err(_) => {
            debug!(%peer, "a client did not end the TLS handshake in time");
            None
        }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Wire>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|ready| ready.map(|(wire, _)| Ok(wire)))
    }
}
