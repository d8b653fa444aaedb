//! One connection from its acceptance to its end: both directions, and the ways it may be cut.

use std::{io, pin::pin, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, time::timeout};

use super::{
    chain::Chain,
    hits::Tally,
    link,
    piece::End,
    plan::{Luck, Plan, Stream},
};

/// How long a server may take to accept us.
const DIAL_S_MAX: u64 = 30;

/// How long a connection that is closed in order may take to read what is still under way, so that no reset overtakes
/// what was delivered.
const CLOSE_S_MAX: u64 = 1;

/// Carries `client` to `upstream` until either is through with it. Dropped at any time, it closes both.
pub(super) async fn serve(client: TcpStream, upstream: &str, luck: Luck, plan: watch::Receiver<Plan>) {
    let Some(client) = admitted(client, &luck, plan.clone()).await else { return };
    let carried = match dialled(upstream).await {
        Ok(server) => carry(client, server, &luck, plan).await,
        Err(error) => {
            tracing::info!(%error, upstream, "the server does not take a connection");
            // Taken and reset at once, it shows as a failed dial.
            if error.kind() == io::ErrorKind::ConnectionReset { client.set_zero_linger() } else { Ok(()) }
        }
    };
    if let Err(error) = carried {
        tracing::debug!(%error, "a connection was not cut as it should");
    }
}

/// Waits while a partition keeps it out; `None` when it has nobody to talk to.
async fn admitted(client: TcpStream, luck: &Luck, mut plan: watch::Receiver<Plan>) -> Option<TcpStream> {
    let mut met = Vec::new();
    loop {
        let now = plan.borrow_and_update().clone();
        if let Some(active) = now.partition(luck) {
            if !met.contains(&active.fault) {
                met.push(active.fault);
                Tally::new(&active.hits).connection();
            }
            plan.changed().await.ok()?;
        } else if now.half_open(Stream::Downstream, luck).is_some() {
            abandoned(client, Stream::Downstream, luck, plan).await.ok();
            return None;
        } else {
            return Some(client);
        }
    }
}

async fn dialled(upstream: &str) -> io::Result<TcpStream> {
    let dialled = timeout(Duration::from_secs(DIAL_S_MAX), TcpStream::connect(upstream)).await;
    dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    luck: &Luck,
    plan: watch::Receiver<Plan>,
) -> io::Result<()> {
    // Packets leave as they come, so that what a slicer cuts stays cut.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let chain = |direction| Chain::new(direction, luck.clone());
    let up = link::run(chain(Stream::Upstream), plan.clone(), from_client, to_server);
    let down = link::run(chain(Stream::Downstream), plan.clone(), from_server, to_client);
    let (stream, end) = ended(up, down).await;
    match end {
        End::Fin => Ok(()),
        End::Close => close(client, server).await,
        End::Reset => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
        End::Abandon => {
            let (sender, receiver) =
                if stream == Stream::Upstream { (client, server) } else { (server, client) };
            sender.set_zero_linger()?;
            drop(sender);
            abandoned(receiver, stream, luck, plan).await
        }
    }
}

/// Both directions are over, or one of them ends the connection.
async fn ended(up: impl Future<Output = End>, down: impl Future<Output = End>) -> (Stream, End) {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let (mut up_is_over, mut down_is_over) = (false, false);
    loop {
        let (stream, end) = tokio::select! {
            end = &mut up, if !up_is_over => (Stream::Upstream, end),
            end = &mut down, if !down_is_over => (Stream::Downstream, end),
        };
        if stream == Stream::Upstream {
            up_is_over = true;
        } else {
            down_is_over = true;
        }
        if end != End::Fin || (up_is_over && down_is_over) {
            return (stream, end);
        }
    }
}

/// Ends both sides with a FIN, and reads on for a moment: a close with unread bytes would be a reset.
async fn close(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    // One that is gone already needs no end.
    let (_, _) = tokio::join!(client.shutdown(), server.shutdown());
    let rest = async { tokio::join!(drain(&client), drain(&server)) };
    timeout(Duration::from_secs(CLOSE_S_MAX), rest).await.ok();
    Ok(())
}

async fn drain(socket: &TcpStream) {
    while let Ok(1..) = swallowed(socket).await {}
}

/// Bytes that came and went nowhere; 0 at the end of the stream.
async fn swallowed(socket: &TcpStream) -> io::Result<usize> {
    loop {
        socket.readable().await?;
        match try_swallow(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

fn try_swallow(socket: &TcpStream) -> io::Result<usize> {
    socket.try_read(&mut [0u8; 16 * 1024])
}

/// Keeps `receiver` open to nobody while the toxic is on, then resets it, as a host that has forgotten it would.
async fn abandoned(
    receiver: TcpStream,
    stream: Stream,
    luck: &Luck,
    mut plan: watch::Receiver<Plan>,
) -> io::Result<()> {
    let mut tally = None;
    let mut hears = true;
    loop {
        let now = plan.borrow_and_update().clone();
        let Some(active) = now.half_open(stream, luck) else { return receiver.set_zero_linger() };
        let tally = tally.get_or_insert_with(|| Tally::new(&active.hits));
        tally.connection();
        tokio::select! {
            biased;
            changed = plan.changed() => if changed.is_err() {
                return receiver.set_zero_linger();
            },
            read = swallowed(&receiver), if hears => match read? {
                // It has hung up; nobody answers that either.
                0 => hears = false,
                len => tally.chunk(len),
            },
        }
    }
}
