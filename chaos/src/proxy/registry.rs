//! All proxies and faults of one server: every change goes through here, one after the other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reveille_proto::clock::Clock;
use tokio::{
    sync::{Mutex, MutexGuard, Notify},
    time::{Instant, sleep_until},
};

use super::{
    fault::{Beginning, FaultBook, FaultId, FaultView, Place, RemovedBy},
    hits::Hits,
    lease::Lease,
    listed::{Proxy, ProxyView, ToxicView},
    plan::Active,
    refusal::Refusal,
    request::{self, NewProxy, NewToxic, ProxyChange, ToxicChange},
    settings::Settings,
};

/// Before the next try to bring a proxy back whose address somebody else has taken, in seconds.
const BACK_AGAIN_S: u64 = 1;

/// Cheap to clone; every clone is the same registry.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// The leases are others than before.
    leases: Notify,
    clock: Clock,
    settings: Settings,
}

#[derive(Debug, Default)]
struct State {
    proxies: BTreeMap<String, Proxy>,
    book: FaultBook,
}

/// The journal with what it leaves out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Journal {
    pub faults: Vec<FaultView>,
    /// Faults that are over and no longer shown.
    pub forgotten: u64,
}

impl State {
    fn proxy(&mut self, name: &str) -> Result<&mut Proxy, Refusal> {
        self.proxies.get_mut(name).ok_or(Refusal::ProxyNotFound)
    }
}

impl Registry {
    pub fn new(clock: Clock, settings: Settings) -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), leases: Notify::new(), clock, settings }))
    }

    async fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().await
    }

    pub async fn proxies(&self) -> Vec<ProxyView> {
        self.state().await.proxies.values().map(Proxy::view).collect()
    }

    pub async fn proxy(&self, name: &str) -> Result<ProxyView, Refusal> {
        Ok(self.state().await.proxy(name)?.view())
    }

    pub async fn create(&self, new: NewProxy) -> Result<ProxyView, Refusal> {
        new.check("")?;
        let mut state = self.state().await;
        if state.proxies.contains_key(&new.name) {
            return Err(Refusal::ProxyExists);
        }
        self.insert(&mut state, new).await
    }

    async fn insert(&self, state: &mut State, new: NewProxy) -> Result<ProxyView, Refusal> {
        let is_enabled = new.is_enabled();
        let mut proxy = Proxy::new(&new.name, new.listen, new.upstream);
        if is_enabled {
            proxy.start(&self.0.settings).await?;
        }
        let view = proxy.view();
        state.proxies.insert(new.name, proxy);
        Ok(view)
    }

    /// Creates those that are not there, replaces those that are elsewhere, and leaves the others as they are. Gives
    /// those that were done, and why the next one was not.
    pub async fn populate(&self, all: Vec<NewProxy>) -> (Vec<ProxyView>, Option<Refusal>) {
        let checked =
            all.iter().enumerate().try_for_each(|(n, new)| new.check(&format!(" at proxy {}", n + 1)));
        if let Err(refusal) = checked {
            return (Vec::new(), Some(refusal));
        }
        let mut state = self.state().await;
        let mut done = Vec::new();
        for new in all {
            match self.populate_one(&mut state, new).await {
                Ok(view) => done.push(view),
                Err(refusal) => return (done, Some(refusal)),
            }
        }
        (done, None)
    }

    async fn populate_one(&self, state: &mut State, new: NewProxy) -> Result<ProxyView, Refusal> {
        match state.proxies.get(&new.name) {
            Some(proxy) if proxy.is_at(&new.listen, &new.upstream) => Ok(proxy.view()),
            Some(_) => {
                self.take_out(state, &new.name).await?;
                self.insert(state, new).await
            }
            None => self.insert(state, new).await,
        }
    }

    /// Another address or server restarts it, and drops its connections.
    pub async fn update(&self, name: &str, change: ProxyChange) -> Result<ProxyView, Refusal> {
        let lease = request::lease(change.lease_s)?;
        let mut state = self.state().await;
        let proxy = state.proxy(name)?;
        let was_enabled = proxy.is_enabled();
        let (listen, upstream) = proxy.place();
        let listen = change.listen.unwrap_or_else(|| listen.to_owned());
        let upstream = change.upstream.unwrap_or_else(|| upstream.to_owned());
        let mut closed = 0;
        if !proxy.is_at(&listen, &upstream) {
            closed = proxy.stop().await;
            proxy.move_to(listen, upstream);
        }
        if change.enabled.unwrap_or(was_enabled) {
            self.bring_up(&mut state, name, RemovedBy::Request).await?;
        } else if was_enabled || proxy.down.is_some() {
            self.bring_down(&mut state, name, lease, closed).await?;
        }
        Ok(state.proxy(name)?.view())
    }

    async fn bring_up(&self, state: &mut State, name: &str, by: RemovedBy) -> Result<(), Refusal> {
        let proxy = state.proxy(name)?;
        proxy.start(&self.0.settings).await?;
        if let Some(fault) = proxy.down.take() {
            state.book.end(fault, by, self.0.clock.now());
            self.0.leases.notify_one();
        }
        Ok(())
    }

    async fn bring_down(
        &self,
        state: &mut State,
        name: &str,
        lease: Option<Duration>,
        closed: u64,
    ) -> Result<(), Refusal> {
        let proxy = state.proxy(name)?;
        let closed = closed + proxy.stop().await;
        if let Some(fault) = proxy.down {
            self.renew_one(state, fault, lease);
            return Ok(());
        }
        let hits: Arc<Hits> = Arc::default();
        hits.connections(closed);
        let place = Place { proxy: name.to_owned(), toxic: None };
        let fault = self.begin(state, "down", name.to_owned(), place, lease, &hits);
        state.proxy(name)?.down = Some(fault);
        Ok(())
    }

    pub async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let mut state = self.state().await;
        self.take_out(&mut state, name).await
    }

    async fn take_out(&self, state: &mut State, name: &str) -> Result<(), Refusal> {
        let mut proxy = state.proxies.remove(name).ok_or(Refusal::ProxyNotFound)?;
        proxy.stop().await;
        let now = self.0.clock.now();
        for fault in proxy.toxics().iter().map(|active| active.fault).chain(proxy.down) {
            state.book.end(fault, RemovedBy::Proxy, now);
        }
        self.0.leases.notify_one();
        Ok(())
    }

    pub async fn toxics(&self, proxy: &str) -> Result<Vec<ToxicView>, Refusal> {
        Ok(self.proxy(proxy).await?.toxics)
    }

    pub async fn toxic(&self, proxy: &str, name: &str) -> Result<ToxicView, Refusal> {
        let mut state = self.state().await;
        let active = state.proxy(proxy)?.toxic(name).ok_or(Refusal::ToxicNotFound)?;
        Ok(ToxicView::of(&active))
    }

    /// Acts on all connections from now on, open ones included.
    pub async fn add_toxic(&self, proxy: &str, new: NewToxic) -> Result<ToxicView, Refusal> {
        let mut state = self.state().await;
        state.proxy(proxy)?;
        let new = new.check()?;
        if state.proxy(proxy)?.toxic(&new.name).is_some() {
            return Err(Refusal::ToxicExists);
        }
        let target = format!("{proxy}/{}", new.stream.name());
        let place = Place { proxy: proxy.to_owned(), toxic: Some(new.name.clone()) };
        let hits = Arc::default();
        let fault = self.begin(&mut state, new.toxic.kind(), target, place, new.lease, &hits);
        let (name, stream, toxicity, toxic) = (new.name, new.stream, new.toxicity, new.toxic);
        let active = Active { fault, revision: 0, name, stream, toxicity, toxic, hits };
        let view = ToxicView::of(&active);
        state.proxy(proxy)?.add(active);
        Ok(view)
    }

    /// Who changes a toxic renews its lease as well.
    pub async fn change_toxic(
        &self,
        proxy: &str,
        name: &str,
        change: ToxicChange,
    ) -> Result<ToxicView, Refusal> {
        let lease = request::lease(change.lease_s)?;
        let mut state = self.state().await;
        let old = state.proxy(proxy)?.toxic(name).ok_or(Refusal::ToxicNotFound)?;
        let toxicity = change.toxicity.map_or(Ok(old.toxicity), request::share)?;
        let toxic = old.toxic.with(change.attributes.unwrap_or_default())?;
        let new = state.proxy(proxy)?.change(name, toxic, toxicity).ok_or(Refusal::ToxicNotFound)?;
        self.renew_one(&mut state, new.fault, lease);
        Ok(ToxicView::of(&new))
    }

    pub async fn remove_toxic(&self, proxy: &str, name: &str) -> Result<(), Refusal> {
        let mut state = self.state().await;
        self.take_off(&mut state, proxy, name, RemovedBy::Request)
    }

    fn take_off(&self, state: &mut State, proxy: &str, name: &str, by: RemovedBy) -> Result<(), Refusal> {
        let proxy = state.proxy(proxy)?;
        let active = proxy.toxic(name).ok_or(Refusal::ToxicNotFound)?;
        proxy.remove(name);
        state.book.end(active.fault, by, self.0.clock.now());
        self.0.leases.notify_one();
        Ok(())
    }

    /// Enables all proxies and removes all toxics. One that cannot listen does not keep the others from it.
    pub async fn reset(&self) -> Result<(), Refusal> {
        let mut state = self.state().await;
        let names: Vec<String> = state.proxies.keys().cloned().collect();
        let mut first = Ok(());
        for name in names {
            let toxics = state.proxy(&name)?.toxics();
            for active in toxics {
                self.take_off(&mut state, &name, &active.name, RemovedBy::Reset)?;
            }
            let up = self.bring_up(&mut state, &name, RemovedBy::Reset).await;
            first = first.and(up);
        }
        first
    }

    fn begin(
        &self,
        state: &mut State,
        kind: &str,
        target: String,
        place: Place,
        lease: Option<Duration>,
        hits: &Arc<Hits>,
    ) -> FaultId {
        let since = self.0.clock.now();
        let length = lease.or(self.0.settings.lease);
        let lease = length.map(|length| Lease::new(length, Instant::now(), since));
        let (kind, hits) = (format!("link.{kind}"), hits.clone());
        self.0.leases.notify_one();
        state.book.begin(Beginning { kind, target, place, since, lease, hits })
    }

    fn renew_one(&self, state: &mut State, fault: FaultId, length: Option<Duration>) {
        let Some(fault) = state.book.on_mut(fault) else { return };
        let length = length.or(fault.lease.as_ref().map(Lease::length));
        fault.lease = length.map(|length| Lease::new(length, Instant::now(), self.0.clock.now()));
        self.0.leases.notify_one();
    }

    /// From now on for another lease, by default as long as before.
    pub async fn renew(&self, fault: FaultId, lease_s: Option<f64>) -> Result<FaultView, Refusal> {
        let length = request::lease(lease_s)?;
        let mut state = self.state().await;
        state.book.on_mut(fault).ok_or(Refusal::FaultNotFound)?;
        self.renew_one(&mut state, fault, length);
        state.book.view(fault).ok_or(Refusal::FaultNotFound)
    }

    /// Renews every lease there is.
    pub async fn renew_all(&self, lease_s: Option<f64>) -> Result<Vec<FaultView>, Refusal> {
        let length = request::lease(lease_s)?;
        let mut state = self.state().await;
        let with_lease: Vec<FaultId> =
            state.book.all_on_mut().filter(|fault| fault.lease.is_some()).map(|fault| fault.id()).collect();
        for fault in &with_lease {
            self.renew_one(&mut state, *fault, length);
        }
        Ok(with_lease.into_iter().filter_map(|fault| state.book.view(fault)).collect())
    }

    pub async fn journal(&self) -> Journal {
        let state = self.state().await;
        Journal { faults: state.book.views(), forgotten: state.book.forgotten() }
    }

    pub async fn fault(&self, fault: FaultId) -> Result<FaultView, Refusal> {
        self.state().await.book.view(fault).ok_or(Refusal::FaultNotFound)
    }

    /// Connections of a proxy that are open now, and that there ever were.
    pub async fn connections(&self, proxy: &str) -> Result<(u64, u64), Refusal> {
        Ok(self.state().await.proxy(proxy)?.connections())
    }

    /// Ends faults whose lease runs out, for as long as it is polled. Whoever made them need not be there any more.
    pub async fn keep_leases(&self) {
        loop {
            let next = self.end_run_out().await;
            tokio::select! {
                () = self.0.leases.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Ends what has run out by now, and says when to look again.
    async fn end_run_out(&self) -> Option<Instant> {
        let mut state = self.state().await;
        let mut again = None;
        for (fault, place) in state.book.run_out(Instant::now()) {
            let ended = match &place.toxic {
                Some(toxic) => self.take_off(&mut state, &place.proxy, toxic, RemovedBy::Lease),
                None => self.bring_up(&mut state, &place.proxy, RemovedBy::Lease).await,
            };
            if let Err(error) = ended {
                tracing::error!(error = &error as &dyn std::error::Error, %fault, "a fault outlives its lease");
                again = Some(Instant::now() + Duration::from_secs(BACK_AGAIN_S));
            }
        }
        again.or_else(|| state.book.next_deadline())
    }

    /// Closes everything.
    pub async fn stop(&self) {
        let mut state = self.state().await;
        for (_, mut proxy) in std::mem::take(&mut state.proxies) {
            proxy.stop().await;
        }
    }
}
