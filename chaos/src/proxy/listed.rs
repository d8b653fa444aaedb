//! One proxy: where it listens, whom it dials, and the toxics that act on what it carries.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{
    address,
    fault::FaultId,
    listener::{Listening, Trunk},
    plan::{Active, Plan, Stream},
    refusal::Refusal,
    settings::Settings,
    toxics::Toxic,
};

/// A proxy, whether it listens or not.
#[derive(Debug)]
pub(super) struct Proxy {
    name: Arc<str>,
    /// As it was asked for; with port 0 another one is shown.
    asked: String,
    /// As it is shown.
    listen: String,
    upstream: String,
    listening: Option<Listening>,
    plan: watch::Sender<Plan>,
    next_connection: Arc<AtomicU64>,
    /// The fault that it is down.
    pub(super) down: Option<FaultId>,
}

/// A proxy as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProxyView {
    pub name: String,
    /// The address it listens on.
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
    pub toxics: Vec<ToxicView>,
}

/// A toxic as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToxicView {
    pub attributes: Map<String, Value>,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub stream: Stream,
    pub toxicity: f64,
    /// Its entry in the journal of faults.
    pub fault: FaultId,
}

impl Proxy {
    /// It does not listen yet.
    pub(super) fn new(name: &str, listen: String, upstream: String) -> Self {
        Self {
            name: name.into(),
            asked: listen.clone(),
            listen,
            upstream,
            listening: None,
            plan: watch::Sender::new(Plan::default()),
            next_connection: Arc::default(),
            down: None,
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.listening.is_some()
    }

    /// Whether somebody who asks for this listens and dials as it does.
    pub(super) fn is_at(&self, listen: &str, upstream: &str) -> bool {
        (listen == self.asked || listen == self.listen) && upstream == self.upstream
    }

    pub(super) fn place(&self) -> (&str, &str) {
        (&self.listen, &self.upstream)
    }

    /// Listens and dials elsewhere from its next start on.
    pub(super) fn move_to(&mut self, listen: String, upstream: String) {
        (self.asked, self.listen, self.upstream) = (listen.clone(), listen, upstream);
    }

    /// Listens, if it does not yet.
    pub(super) async fn start(&mut self, settings: &Settings) -> Result<(), Refusal> {
        if self.listening.is_some() {
            return Ok(());
        }
        let addresses = address::resolve(&self.listen, settings.any_address).await?;
        let trunk = Trunk {
            name: self.name.clone(),
            upstream: self.upstream.as_str().into(),
            seed: settings.seed,
            plan: self.plan.subscribe(),
            next_connection: self.next_connection.clone(),
            connections_max: settings.connections_max,
        };
        let started = Listening::start(&addresses, trunk).await;
        let listening = started.map_err(|source| Refusal::Listen { listen: self.listen.clone(), source })?;
        self.listen = listening.address.to_string();
        self.listening = Some(listening);
        Ok(())
    }

    /// Listens no more, and gives how many connections that closed.
    pub(super) async fn stop(&mut self) -> u64 {
        let Some(listening) = self.listening.take() else { return 0 };
        let open = listening.open();
        listening.stop().await;
        open
    }

    /// Connections that are open now, and that there ever were.
    pub(super) fn connections(&self) -> (u64, u64) {
        (self.listening.as_ref().map_or(0, Listening::open), self.next_connection.load(Ordering::Relaxed))
    }

    pub(super) fn toxics(&self) -> Vec<Arc<Active>> {
        self.plan.borrow().0.to_vec()
    }

    pub(super) fn toxic(&self, name: &str) -> Option<Arc<Active>> {
        self.plan.borrow().0.iter().find(|active| active.name == name).cloned()
    }

    /// Adds it last. Every connection follows before it reads again.
    pub(super) fn add(&self, toxic: Active) {
        self.edit(|toxics| toxics.push(Arc::new(toxic)));
    }

    /// Changes a toxic in its place, and gives it as it is now.
    pub(super) fn change(&self, name: &str, toxic: Toxic, toxicity: f64) -> Option<Arc<Active>> {
        self.edit(|toxics| {
            let old = toxics.iter_mut().find(|active| active.name == name)?;
            let Active { fault, revision, stream, ref hits, .. } = **old;
            let (name, hits) = (old.name.clone(), hits.clone());
            let new = Active { fault, revision: revision + 1, name, stream, toxicity, toxic, hits };
            *old = Arc::new(new);
            Some(old.clone())
        })
    }

    /// Takes it off.
    pub(super) fn remove(&self, name: &str) {
        self.edit(|toxics| toxics.retain(|active| active.name != name));
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut Vec<Arc<Active>>) -> T) -> T {
        let mut toxics = self.toxics();
        let edited = edit(&mut toxics);
        self.plan.send_replace(Plan(Arc::new(toxics)));
        edited
    }

    pub(super) fn view(&self) -> ProxyView {
        ProxyView {
            name: self.name.to_string(),
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            enabled: self.is_enabled(),
            toxics: self.toxics().iter().map(|active| ToxicView::of(active)).collect(),
        }
    }
}

impl ToxicView {
    pub(super) fn of(active: &Active) -> Self {
        Self {
            attributes: active.toxic.attributes(),
            name: active.name.clone(),
            kind: active.toxic.kind(),
            stream: active.stream,
            toxicity: active.toxicity,
            fault: active.fault,
        }
    }
}
