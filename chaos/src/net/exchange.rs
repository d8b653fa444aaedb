//! Who listens under which name within this process, and the lines that are laid between them.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::{RngExt, rngs::StdRng};
use reveille_controller::tls::Wire;
use tokio::{
    io::DuplexStream,
    sync::{mpsc, watch},
};

use super::{Meeting, Weather, cable, weather::Met};

/// Calls that wait to be taken.
const WAITING_MAX: usize = 64;
/// What a line within this process says of where it comes from.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Cheap to clone; every clone knows the same names.
#[derive(Debug, Clone)]
pub struct Exchange(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    doors: BTreeMap<String, mpsc::Sender<(Wire, SocketAddr)>>,
    /// By caller.
    weather: BTreeMap<String, (watch::Sender<Weather>, Met)>,
    /// Lines so far, by caller.
    laid: BTreeMap<String, u64>,
    rng: StdRng,
}

impl Exchange {
    pub fn new(rng: StdRng) -> Self {
        let state = State { doors: BTreeMap::new(), weather: BTreeMap::new(), laid: BTreeMap::new(), rng };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Listens under `name`, from now on instead of whoever did before. It ends when the receiver is dropped.
    pub fn listen(&self, name: &str) -> mpsc::Receiver<(Wire, SocketAddr)> {
        let (door, calls) = mpsc::channel(WAITING_MAX);
        self.state().doors.insert(name.to_owned(), door);
        calls
    }

    /// A line of `caller` to whoever listens under `name`. Refused where nobody does. In weather that lets nothing through
    /// it waits, as a call on a real network would.
    pub async fn call(&self, caller: &str, name: &str) -> io::Result<DuplexStream> {
        let (mut weather, met) = self.weather(caller);
        if !weather.borrow().lets_through() {
            met.count(Meeting::Held);
        }
        let gone = |_| io::Error::other("the exchange is gone");
        weather.wait_for(Weather::lets_through).await.map_err(gone)?;
        let (door, rng) = {
            let mut state = self.state();
            let seed = state.rng.random();
            (state.doors.get(name).cloned(), <StdRng as rand::SeedableRng>::seed_from_u64(seed))
        };
        let refused =
            || io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens at {name}"));
        let door = door.filter(|door| !door.is_closed()).ok_or_else(refused)?;
        let (near, far) = cable::lay(weather, met, rng);
        door.send((Wire::Given(far), NOWHERE)).await.map_err(|_| refused())?;
        *self.state().laid.entry(caller.to_owned()).or_default() += 1;
        Ok(near)
    }

    /// Changes what becomes of every line of `caller`.
    pub fn change(&self, caller: &str, change: impl FnOnce(&mut Weather)) {
        let mut state = self.state();
        state.weather.entry(caller.to_owned()).or_default().0.send_modify(change);
    }

    /// Cuts every line of `caller`; new ones are free to be made.
    pub fn cut(&self, caller: &str) {
        self.change(caller, |weather| weather.cuts += 1);
    }

    /// Every line that `caller` has now loses its peer, and nobody is told; new ones are free to be made.
    pub fn orphan(&self, caller: &str) {
        self.change(caller, |weather| weather.orphaned += 1);
    }

    /// Ends every line of `caller` that has lost its peer.
    pub fn tell_orphans(&self, caller: &str) {
        self.change(caller, |weather| weather.told = weather.orphaned);
    }

    /// How often the weather of `caller` was met in this way.
    pub fn met(&self, caller: &str, how: Meeting) -> u64 {
        self.weather(caller).1.times(how)
    }

    /// How many lines of `caller` were laid so far.
    pub fn laid(&self, caller: &str) -> u64 {
        self.state().laid.get(caller).copied().unwrap_or(0)
    }

    fn weather(&self, caller: &str) -> (watch::Receiver<Weather>, Met) {
        let mut state = self.state();
        let (weather, met) = state.weather.entry(caller.to_owned()).or_default();
        (weather.subscribe(), met.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::Flow, *};

    #[tokio::test(start_paused = true)]
    async fn a_call_reaches_whoever_listens_last_and_nobody_else() {
        let exchange = Exchange::new(StdRng::seed_from_u64(1));
        let refused = exchange.call("host-1", "controller").await.expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let before = exchange.listen("controller");
        let mut calls = exchange.listen("controller");
        let mut near = exchange.call("host-1", "controller").await.expect("taken");
        drop(before);
        let (mut far, _) = calls.recv().await.expect("a call");
        near.write_all(b"hello").await.expect("sent");
        let mut bytes = [0; 5];
        far.read_exact(&mut bytes).await.expect("they arrive");
        assert_eq!(&bytes, b"hello");
        drop(calls);
        assert!(exchange.call("host-1", "controller").await.is_err(), "it listens no more");
    }

    #[tokio::test(start_paused = true)]
    async fn weather_is_of_one_caller() {
        let exchange = Exchange::new(StdRng::seed_from_u64(1));
        let _calls = exchange.listen("controller");
        exchange.change("host-1", |weather| weather.back = Flow::HELD);
        let minute = std::time::Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, exchange.call("host-1", "controller")).await.is_err());
        assert!(exchange.call("host-2", "controller").await.is_ok());
        exchange.change("host-1", |weather| weather.back = Flow::default());
        assert_eq!(exchange.met("host-1", Meeting::Held), 1, "one call had to wait");
        let mut near = exchange.call("host-1", "controller").await.expect("free again");
        exchange.cut("host-1");
        assert_eq!(near.read(&mut [0; 1]).await.expect("an end"), 0);
        assert_eq!((exchange.met("host-1", Meeting::Cut), exchange.met("host-2", Meeting::Cut)), (1, 0));
    }
}
