//! What the tests of the proxy stand on: a registry, an echoing or silent server, clients.

use std::time::Duration;

use reveille_proto::clock::Clock;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::proxy::{FaultView, NewProxy, NewToxic, Registry, Settings};

/// For what must happen; a test that waits so long has failed.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) fn settings() -> Settings {
    Settings { seed: 7, connections_max: 100, ..Settings::default() }
}

pub(super) fn registry() -> Registry {
    Registry::new(Clock::system(), settings())
}

/// A registry with a proxy `db` to `server`.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) registry: Registry,
    pub(super) address: String,
    pub(super) server: TcpListener,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let upstream = server.local_addr().expect("bound").to_string();
        let registry = registry();
        let new = NewProxy { name: "db".into(), upstream, ..NewProxy::default() };
        let address = registry.create(new).await.expect("created").listen;
        Self { registry, address, server }
    }

    /// A client and the server's end of its connection.
    pub(super) async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.client().await;
        let (server, _) = soon(self.server.accept()).await.expect("dialled");
        (client, server)
    }

    pub(super) async fn client(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("it listens")
    }

    /// Adds a toxic and gives its fault.
    pub(super) async fn add(&self, toxic: Value) -> FaultView {
        let new: NewToxic = serde_json::from_value(toxic).expect("a toxic");
        let view = self.registry.add_toxic("db", new).await.expect("added");
        self.registry.fault(view.fault).await.expect("in the journal")
    }

    pub(super) async fn toxic(&self, kind: &str, stream: &str, attributes: Value) -> FaultView {
        self.add(json!({"type": kind, "stream": stream, "attributes": attributes})).await
    }

    pub(super) async fn remove(&self, fault: &FaultView) {
        let name = fault.toxic.as_deref().expect("a toxic");
        self.registry.remove_toxic("db", name).await.expect("it was there");
    }

    /// How the fault is now.
    pub(super) async fn now(&self, fault: &FaultView) -> FaultView {
        self.registry.fault(fault.id).await.expect("in the journal")
    }

    /// Waits until the fault has bitten so often.
    pub(super) async fn bitten(&self, fault: &FaultView, hits: u64) -> FaultView {
        soon(async {
            loop {
                let now = self.now(fault).await;
                if now.hits >= hits {
                    return now;
                }
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("it happens soon")
}

/// Whether nothing comes for a moment. Too short a moment makes a test pass that should not, never the reverse.
pub(super) async fn is_silent(socket: &mut TcpStream) -> bool {
    timeout(Duration::from_millis(80), socket.read(&mut [0u8; 1])).await.is_err()
}

pub(super) async fn say(socket: &mut TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).await.expect("sent");
}

pub(super) async fn hear(socket: &mut TcpStream, text: &str) {
    let mut heard = vec![0u8; text.len()];
    soon(socket.read_exact(&mut heard)).await.expect("heard");
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

/// Whether it is reset, and not ended in order.
pub(super) async fn is_reset(socket: &mut TcpStream) -> bool {
    let read = soon(socket.read(&mut [0u8; 1])).await;
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// All that comes until the end.
pub(super) async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    soon(socket.read_to_end(&mut heard)).await.expect("it ends in order");
    heard
}
