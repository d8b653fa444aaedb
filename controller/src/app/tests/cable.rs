//! The way of one controller to its database, which can be cut: nothing goes through any more, and nobody is told.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Forwards connections to a server until it is dropped.
pub(super) struct Cable {
    pub(super) address: SocketAddr,
    is_cut: watch::Sender<bool>,
    /// Connections that were cut and were then spoken on.
    unheard: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Cable {
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (is_cut, watched) = watch::channel(false);
        let unheard = watch::Sender::new(0);
        let counted = unheard.clone();
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                tokio::spawn(carry(near, server, watched.clone(), counted.clone()));
            }
        });
        Self { address, is_cut, unheard, task }
    }

    pub(super) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Waits until something was said on so many connections that nobody hears.
    pub(super) async fn unheard(&self, connections: usize) {
        self.unheard.subscribe().wait_for(|count| *count >= connections).await.expect("it is there");
    }

    /// New connections go through; those of before stay silent for ever.
    pub(super) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut near: TcpStream,
    server: SocketAddr,
    mut is_cut: watch::Receiver<bool>,
    unheard: watch::Sender<usize>,
) {
    let whole = async {
        let mut far = TcpStream::connect(server).await?;
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    };
    let cut = async { is_cut.wait_for(|is_cut| *is_cut).await.is_ok() };
    let is_cut = tokio::select! {
        _ = whole => false,
        is_cut = cut => is_cut,
    };
    if is_cut {
        // Neither read nor closed.
        if near.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
            unheard.send_modify(|count| *count += 1);
        }
        std::future::pending::<()>().await;
    }
}
