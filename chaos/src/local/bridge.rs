//! From sockets to the lines of the exchange, and back: the agents' and the controller's ends are TCP, and what becomes of what
//! they say is decided on the line between, where it is counted too.

use std::net::SocketAddr;

use reveille_controller::tls::Wire;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::net::Exchange;

/// Whoever connects to `listener` calls `name` as `caller`, until `stop`.
pub(super) fn inwards(
    listener: TcpListener,
    exchange: Exchange,
    (caller, name): (String, &'static str),
    stop: CancellationToken,
) {
    let accepting = async move {
        loop {
            let Ok((mut socket, _)) = listener.accept().await else { continue };
            let (exchange, caller) = (exchange.clone(), caller.clone());
            tokio::spawn(async move {
                socket.set_nodelay(true).ok();
                // Where nobody listens the socket is closed.
                let Ok(mut line) = exchange.call(&caller, name).await else { return };
                copy_bidirectional(&mut socket, &mut line).await.ok();
            });
        }
    };
    tokio::spawn(stop.run_until_cancelled_owned(accepting));
}

/// Each of the calls becomes a connection to where `to` is then; where nobody listens there, the line ends.
pub(super) fn outwards(
    mut calls: mpsc::Receiver<(Wire, SocketAddr)>,
    to: watch::Receiver<SocketAddr>,
    stop: CancellationToken,
) {
    let connecting = async move {
        while let Some((mut line, _)) = calls.recv().await {
            let to = *to.borrow();
            tokio::spawn(async move {
                let Ok(mut socket) = TcpStream::connect(to).await else { return };
                socket.set_nodelay(true).ok();
                copy_bidirectional(&mut line, &mut socket).await.ok();
            });
        }
    };
    tokio::spawn(stop.run_until_cancelled_owned(connecting));
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::net::Flow;

    #[tokio::test]
    async fn sockets_at_both_ends_meet_the_weather_between() {
        let exchange = Exchange::new(StdRng::seed_from_u64(1));
        let stop = CancellationToken::new();
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let front = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = front.local_addr().expect("bound");
        let (_moves, to) = watch::channel(server.local_addr().expect("bound"));
        outwards(exchange.listen("there"), to, stop.clone());
        inwards(front, exchange.clone(), ("host-1".to_owned(), "there"), stop.clone());
        let mut near = TcpStream::connect(at).await.expect("taken");
        near.write_all(b"one").await.expect("sent");
        let (mut far, _) = server.accept().await.expect("passed on");
        let mut heard = [0; 3];
        far.read_exact(&mut heard).await.expect("it arrives");
        assert_eq!(&heard, b"one");
        exchange.change("host-1", |weather| weather.there = Flow::HELD);
        near.write_all(b"two").await.expect("the kernel takes it");
        let waits = tokio::time::timeout(std::time::Duration::from_millis(200), far.read_exact(&mut heard));
        assert!(waits.await.is_err(), "it is held");
        exchange.change("host-1", |weather| weather.there = Flow::default());
        far.read_exact(&mut heard).await.expect("it arrives now");
        assert_eq!(&heard, b"two");
        exchange.cut("host-1");
        assert_eq!(near.read(&mut heard).await.expect("an end"), 0);
    }
}
