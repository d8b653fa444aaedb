//! The listening end of a proxy: takes connections while the proxy is enabled, and closes them all when it is not.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection,
    plan::{Luck, Plan},
};

/// Before the next try when the kernel has no descriptor for a new connection, in milliseconds.
const ACCEPT_AGAIN_MS: u64 = 100;

/// What connections of one proxy have in common.
#[derive(Debug, Clone)]
pub(super) struct Trunk {
    pub(super) name: Arc<str>,
    pub(super) upstream: Arc<str>,
    pub(super) seed: u64,
    pub(super) plan: watch::Receiver<Plan>,
    /// Counts connections over restarts, so that no two have the same luck.
    pub(super) next_connection: Arc<AtomicU64>,
    /// Further ones wait in the kernel.
    pub(super) connections_max: u32,
}

/// A proxy that listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    /// The one that accepts, and one for each connection.
    tasks: TaskTracker,
}

impl Listening {
    pub(super) async fn start(addresses: &[SocketAddr], trunk: Trunk) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accepting = accept_all(listener, trunk, tasks.clone(), stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, stop, tasks })
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> u64 {
        self.tasks.len().saturating_sub(1) as u64
    }

    /// Closes the listener and every connection, and waits until they are closed.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept_all(listener: TcpListener, trunk: Trunk, tasks: TaskTracker, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(trunk.connections_max as usize));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((client, _)) => {
                let serving = serve(client, trunk.clone(), place);
                tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
            }
            Err(error) => {
                tracing::warn!(%error, proxy = &*trunk.name, "failed to accept a connection");
                sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
            }
        }
    }
}

async fn serve(client: TcpStream, trunk: Trunk, _place: OwnedSemaphorePermit) {
    let connection = trunk.next_connection.fetch_add(1, Ordering::Relaxed);
    let luck = Luck { seed: trunk.seed, proxy: trunk.name, connection };
    connection::serve(client, &trunk.upstream, luck, trunk.plan).await;
}
