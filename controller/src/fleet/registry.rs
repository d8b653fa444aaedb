//! Who is connected now: the latest load of each host, its gate, and the way to its agent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use reveille_proto::{
    HostId,
    edge::{Hello, Load},
    v1,
};
use tokio::sync::mpsc;

use crate::{
    policy::Policy,
    throttle::{HostGate, ThrottleRule},
};

/// Messages waiting to be written to one agent; an agent that does not read them is cut off and starts over.
pub(crate) const OUTBOX_MAX: usize = 1024;

/// A host as it is known right now. Survives the session, so that a gate keeps its limit over a reconnect.
#[derive(Debug, Clone)]
pub struct LiveHost {
    pub connected: bool,
    pub class: String,
    pub cores: f64,
    pub journal_id: String,
    pub load: Option<Load>,
    pub gate: HostGate,
    /// The agent's own guard: what it would refuse is not sent.
    pub guard_cpu_percent: Option<f64>,
    pub guard_wakes_max: Option<u32>,
}

impl LiveHost {
    /// The policy as it holds on this host: the fleet's, or the agent's guard where that is stricter.
    pub fn policy(&self, policy: &Policy) -> Policy {
        let ceiling = policy.cpu_ceiling_percent;
        Policy {
            cpu_ceiling_percent: self.guard_cpu_percent.map_or(ceiling, |guard| guard.min(ceiling)),
            host_wakes_max: self.guard_wakes_max.unwrap_or(u32::MAX).min(policy.host_wakes_max),
            ..policy.clone()
        }
    }
}

#[derive(Debug)]
struct Entry {
    live: LiveHost,
    /// Number of the session that owns the entry; an older session's end does not touch a newer one.
    session: u64,
    outbox: Option<mpsc::Sender<v1::ControllerMessage>>,
    hour: LoadHour,
}

/// Load samples not yet written to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LoadHour {
    pub samples: u32,
    pub cpu_percent_max: f64,
    pub over_ceiling: u32,
}

/// All sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    hosts: Arc<Mutex<BTreeMap<HostId, Entry>>>,
    rule: ThrottleRule,
}

impl Registry {
    pub fn new(rule: ThrottleRule) -> Self {
        Self { hosts: Arc::default(), rule }
    }

    // Every critical section only reads or assigns plain values: a panic cannot leave them half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, Entry>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session takes over the host. Returns its number and the end of its outbox to write from.
    pub(crate) fn connect(&self, hello: &Hello) -> (u64, mpsc::Receiver<v1::ControllerMessage>) {
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        let mut hosts = self.lock();
        let before = hosts.get(&hello.host);
        let session = before.map_or(0, |entry| entry.session) + 1;
        let gate = before.map_or_else(|| HostGate::new(&self.rule), |entry| entry.live.gate);
        let hour = before.map_or_else(LoadHour::default, |entry| entry.hour);
        let live = LiveHost {
            connected: true,
            class: hello.host_class.clone(),
            cores: hello.cores,
            journal_id: hello.journal_id.clone(),
            // A load from before the reconnect says nothing about now.
            load: None,
            gate,
            guard_cpu_percent: hello.cpu_ceiling_percent,
            guard_wakes_max: hello.wakes_max,
        };
        hosts.insert(hello.host.clone(), Entry { live, session, outbox: Some(outbox), hour });
        (session, messages)
    }

    pub(crate) fn disconnect(&self, host: &HostId, session: u64) {
        if let Some(entry) = self.lock().get_mut(host).filter(|entry| entry.session == session) {
            entry.live.connected = false;
            entry.live.load = None;
            entry.outbox = None;
        }
    }

    /// Keeps the newest load only; nothing waits for the store here.
    pub(crate) fn loaded(&self, host: &HostId, load: Load, active: u32, policy: &Policy, now: Timestamp) {
        if let Some(entry) = self.lock().get_mut(host) {
            entry.live.load = Some(load);
            let policy = entry.live.policy(policy);
            entry.live.gate.observe(&load, active, &policy, &self.rule, now);
            entry.hour.samples += 1;
            entry.hour.cpu_percent_max = entry.hour.cpu_percent_max.max(load.cpu_percent);
            entry.hour.over_ceiling += u32::from(load.cpu_percent > policy.cpu_ceiling_percent);
        }
    }

    /// Load samples since the last call, to be written to the store.
    pub fn take_load_hours(&self) -> Vec<(HostId, LoadHour)> {
        let mut hosts = self.lock();
        let taken = hosts.iter_mut().map(|(host, entry)| (host.clone(), std::mem::take(&mut entry.hour)));
        taken.filter(|(_, hour)| hour.samples > 0).collect()
    }

    pub fn live(&self, host: &HostId) -> Option<LiveHost> {
        self.lock().get(host).map(|entry| entry.live.clone())
    }

    /// Every host that was connected since the start.
    pub fn all(&self) -> Vec<(HostId, LiveHost)> {
        self.lock().iter().map(|(host, entry)| (host.clone(), entry.live.clone())).collect()
    }

    /// Puts a message on its way; `false` when the host is not connected. An agent that does not keep up is cut off.
    pub(super) fn send(&self, host: &HostId, message: v1::controller_message::Kind) -> bool {
        self.send_with(host, |_| message)
    }

    /// As [`Registry::send`], with a message made for the session that gets it.
    pub(super) fn send_with(
        &self,
        host: &HostId,
        message: impl FnOnce(&LiveHost) -> v1::controller_message::Kind,
    ) -> bool {
        let mut hosts = self.lock();
        let Some(entry) = hosts.get_mut(host) else { return false };
        let Some(outbox) = &entry.outbox else { return false };
        let sent = outbox.try_send(v1::ControllerMessage { kind: Some(message(&entry.live)) }).is_ok();
        if !sent {
            entry.outbox = None;
            entry.live.connected = false;
            entry.live.load = None;
        }
        sent
    }

    /// Sends to every connected host.
    pub(super) fn broadcast(&self, message: &v1::controller_message::Kind) {
        let hosts: Vec<HostId> = self.lock().keys().cloned().collect();
        for host in hosts {
            self.send(&host, message.clone());
        }
    }
}
