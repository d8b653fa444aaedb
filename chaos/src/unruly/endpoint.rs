//! The endpoint itself: `POST /wake/{instance}` wakes in the manner that is posted, `GET /i/{instance}/` is the instance.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reveille_proto::clock::Clock;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Manner,
    exchange::Exchange,
    posted::Posted,
    record::{Books, Effect, Ended, Seen},
    request::Request,
};
use crate::fault::FaultProof;

/// Connections at once; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 1024;

/// Listens on loopback until it is dropped.
#[derive(Debug)]
pub struct Unruly {
    address: SocketAddr,
    desk: Arc<Desk>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Desk {
    clock: Clock,
    /// From the effect until the instance serves.
    boot: Duration,
    books: Books,
    /// All that ever were; the last one is in force.
    posted: Mutex<Vec<Posted>>,
}

impl Unruly {
    /// Behaves, until something else is posted. Instances serve `boot` after they were first woken.
    pub async fn start(clock: Clock, boot: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let desk = Desk { clock, boot, books: Books::default(), posted: Mutex::default() };
        let (desk, stop) = (Arc::new(desk), CancellationToken::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept_all(
            listener,
            desk.clone(),
            stop.clone(),
        )));
        Ok(Self { address, desk, _stop: stop.drop_guard() })
    }

    /// Where an instance is woken. `{wake_id}` is the caller's to fill in.
    pub fn wake_url(&self, instance: &str) -> String {
        format!("http://{}/wake/{instance}?wake={{wake_id}}", self.address)
    }

    /// Where an instance answers as itself.
    pub fn page_url(&self, instance: &str) -> String {
        format!("http://{}/i/{instance}/", self.address)
    }

    /// From now on, at most for `lease`: then it behaves again, whoever posted this. What is under way in the manner
    /// before ends.
    pub fn post(&self, manner: Manner, lease: Option<Duration>) {
        let now_s = self.desk.clock.now().as_second();
        let mut posted = self.desk.posted();
        if let Some(before) = posted.last() {
            before.replace(now_s);
        }
        posted.push(Posted::new(manner, lease, now_s));
    }

    /// Behaves from now on.
    pub fn behave(&self) {
        if let Some(last) = self.desk.posted().last() {
            last.replace(self.desk.clock.now().as_second());
        }
    }

    /// What took effect, as it did.
    pub fn effects(&self) -> Vec<Effect> {
        self.desk.books.all_effects()
    }

    /// Requests that are over, in the order they were.
    pub fn seen(&self) -> Vec<Seen> {
        self.desk.books.all_seen()
    }

    /// Of every manner that was posted.
    pub fn proofs(&self) -> Vec<FaultProof> {
        self.desk.posted().iter().map(Posted::proof).collect()
    }
}

impl Desk {
    fn posted(&self) -> MutexGuard<'_, Vec<Posted>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_force(&self) -> Posted {
        let last = self.posted().last().cloned();
        last.unwrap_or_else(|| Posted::new(Manner::Behaves, None, 0))
    }

    async fn serve(&self, mut socket: TcpStream) -> io::Result<()> {
        let Some(request) = Request::read(&mut socket).await? else { return Ok(()) };
        let posted = self.in_force();
        let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
        let (place, instance) = match parts[..] {
            ["wake", instance] if request.method == "POST" => ("wake", instance.to_owned()),
            ["i", instance] if request.method == "GET" => ("i", instance.to_owned()),
            _ => ("", String::new()),
        };
        let at = self.clock.now();
        let (books, had_effect) = (&self.books, false);
        let mut exchange = Exchange { socket, request, instance, at, had_effect, books, posted: &posted };
        match place {
            "wake" => self.wake(exchange).await,
            "i" => self.page(exchange).await,
            _ => exchange.answer(404, &[], b"").await.map(|_| ()),
        }
    }

    /// In the manner in force, and into the books.
    async fn wake(&self, mut exchange: Exchange<'_>) -> io::Result<()> {
        let posted = exchange.posted;
        let ended = match posted.manner() {
            None => exchange.accept().await,
            Some(manner) => {
                posted.meet();
                tokio::select! {
                    ended = manner.meet(&mut exchange) => ended,
                    () = posted.over() => Ok(Ended::Over),
                }
            }
        };
        // Who hangs up while it is spoken to shows as an error.
        let ended = ended.unwrap_or(Ended::HungUp);
        let (wake, idem) = (exchange.wake(), exchange.idem());
        let Exchange { socket, instance, at, had_effect, .. } = exchange;
        drop(socket);
        self.books.seen(Seen { at, instance, wake, idem, had_effect, ended });
        Ok(())
    }

    async fn page(&self, mut exchange: Exchange<'_>) -> io::Result<()> {
        let posted = exchange.posted;
        let boot = posted.manner().map_or(Some(self.boot), |manner| manner.boot(self.boot));
        let woken_at = self.books.woken_at(&exchange.instance);
        let is_up = woken_at.zip(boot).is_some_and(|(at, boot)| at + boot <= Instant::now());
        if is_up {
            let text = format!("instance {}\n", exchange.instance);
            exchange.answer(200, &[], text.as_bytes()).await?;
        } else {
            if woken_at.is_some_and(|at| at + self.boot <= Instant::now()) {
                posted.meet();
                exchange.bite();
            }
            exchange.answer(503, &[], b"hibernated\n").await?;
        }
        Ok(())
    }
}

async fn accept_all(listener: TcpListener, desk: Arc<Desk>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else { continue };
        let desk = desk.clone();
        let serving = async move {
            let _place = place;
            if let Err(error) = desk.serve(socket).await {
                tracing::debug!(%error, "a caller was not answered");
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
    }
}
