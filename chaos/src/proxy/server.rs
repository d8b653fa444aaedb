//! The server: the API on its socket, and the keeper of the leases beside it, until it is stopped.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Registry, api};

/// How long calls under way may take at the stop, in seconds.
const DRAIN_S_MAX: u64 = 2;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    registry: Registry,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    pub async fn start(listen: SocketAddr, registry: Registry) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let served = axum::serve(listener, api::router(registry.clone()));
        let served = served.with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the API of the proxy stopped");
            }
        });
        let keeper = registry.clone();
        let keeping = async move { keeper.keep_leases().await };
        tasks.spawn(stop.clone().run_until_cancelled_owned(keeping));
        Ok(Self { address, registry, stop, tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Takes no calls any more and closes every proxy and connection.
    pub async fn stop(self) {
        self.stop.cancel();
        self.registry.stop().await;
        self.tasks.close();
        // A caller that waits for hits is not waited for.
        timeout(Duration::from_secs(DRAIN_S_MAX), self.tasks.wait()).await.ok();
    }
}
