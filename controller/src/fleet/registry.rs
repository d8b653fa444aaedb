//! Who is connected now: the latest load of each host, its gate, its starts, and the way to its agent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    HostId, InstanceId, WakeId,
    edge::{FieldError, Hello, LoadReport, Observed},
    planted, v1,
};
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    LiveHost, Outbox, Over, Permitted, entry::Entry, starts::Starts, tally::Tally, unheard::Unheard,
};
use crate::{
    policy::Policy,
    throttle::{ClassName, Closed, Curves, HostGate, Permit, StartCurve, ThrottleRule},
};

/// Messages waiting to be written to one agent; an agent that does not read them is cut off and starts over.
pub(crate) const OUTBOX_MAX: usize = 1024;

/// Times named by several tasks at once may differ by less.
const STEP_MIN: SignedDuration = SignedDuration::from_secs(5);

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
    inner: Arc<Mutex<Inner>>,
    rule: ThrottleRule,
}

#[derive(Debug)]
struct Inner {
    hosts: BTreeMap<HostId, Entry>,
    curves: Curves,
    connected: usize,
    tally: Tally,
    /// The latest time anybody named.
    seen_at: Option<Timestamp>,
}

impl Inner {
    /// A clock that goes back makes what is known of the hosts look new: it is forgotten, and told again soon. Only for those
    /// who have just read the clock.
    fn notice(&mut self, now: Timestamp) {
        let went_back = self.seen_at.is_some_and(|before| before.duration_since(now) > STEP_MIN);
        if went_back {
            warn!("the clock went back: no host starts anything before it has reported its load again");
            for entry in self.hosts.values_mut() {
                entry.generation += 1;
                entry.live.load = None;
            }
        }
        if went_back || self.seen_at.is_none_or(|before| before < now) {
            self.seen_at = Some(now);
        }
    }
}

/// A question to the throttle: may this instance be started on this host now?
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub host: &'a HostId,
    /// `None` asks whether any instance of the host may be started.
    pub instance: Option<&'a InstanceId>,
    pub is_for_person: bool,
    pub fleet_active: u32,
    /// The fleet's.
    pub policy: &'a Policy,
    pub now: Timestamp,
}

/// A yes, with what it was decided from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Granted {
    pub permit: Permit,
    pub cpu_percent: f64,
    pub load_at: Timestamp,
    /// In force on the host.
    pub cpu_ceiling_percent: f64,
    pub active: u32,
}

impl Registry {
    pub fn new(rule: ThrottleRule) -> Self {
        let inner = Inner {
            hosts: BTreeMap::new(),
            curves: Curves::new(&rule),
            connected: 0,
            tally: Tally::default(),
            seen_at: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), rule }
    }

    // Every critical section only reads or assigns plain values: a panic cannot leave them half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session takes over the host. Returns its number and the end of its outbox to write from.
    pub(crate) fn connect(&self, hello: &Hello, epoch: u64) -> (u64, Outbox) {
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        let mut inner = self.lock();
        let inner = &mut *inner;
        let before = inner.hosts.remove(&hello.host);
        let was_connected = before.as_ref().is_some_and(|entry| entry.live.connected);
        if let Some(before) = &before {
            before.untally(&mut inner.tally);
        }
        inner.connected += usize::from(!was_connected);
        // Another journal may be another machine.
        let same = before.as_ref().filter(|entry| entry.live.journal_id == hello.journal_id);
        let clock = same.map(|entry| entry.live.clock).unwrap_or_default();
        let (session, gate, mut starts, hour) = before.map_or_else(
            || (1, HostGate::new(&self.rule), Starts::default(), LoadHour::default()),
            |entry| (entry.session + 1, entry.live.gate, entry.starts, entry.hour),
        );
        let listed = hello.inventory.iter().map(|item| (&item.instance, item.cohort.as_str()));
        starts.list(&hello.host_class, listed, &mut inner.curves);
        let live = LiveHost::new(hello, epoch, gate, clock);
        let (unheard, is_reconciled, generation) = (Unheard::default(), false, 0);
        let outbox = Some(outbox);
        let entry = Entry { live, starts, session, outbox, unheard, hour, is_reconciled, generation };
        entry.tally(&mut inner.tally);
        inner.hosts.insert(hello.host.clone(), entry);
        (session, messages)
    }

    /// The session is over. Returns its epoch, unless another one has taken over the host.
    pub(crate) fn disconnect(&self, host: &HostId, session: u64) -> Option<u64> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let entry = inner.hosts.get_mut(host).filter(|entry| entry.session == session)?;
        entry.cut_off(&mut inner.connected);
        Some(entry.live.epoch)
    }

    /// Keeps the newest load only; nothing waits for the store here.
    pub(crate) fn loaded(&self, host: &HostId, report: &LoadReport, policy: &Policy, now: Timestamp) {
        let mut inner = self.lock();
        inner.notice(now);
        let Inner { hosts, curves, .. } = &mut *inner;
        let Some(entry) = hosts.get_mut(host) else { return };
        entry.generation += 1;
        let limits = entry.live.limits(policy);
        let load = report.load;
        let behind = entry.live.clock.behind();
        let seconds = entry.live.loaded(load, load.active_wakes, &limits, &self.rule, now);
        if behind.is_zero() && !entry.live.clock.behind().is_zero() {
            let behind_s = entry.live.clock.behind().as_secs();
            warn!(host_id = %host, behind_s, "the clock of a host is wrong, its times are corrected");
        }
        if let Some(seconds) = seconds {
            entry.starts.measured(report, seconds, curves);
        }
        entry.starts.seen(report);
        entry.hour.samples += 1;
        entry.hour.cpu_percent_max = entry.hour.cpu_percent_max.max(load.cpu_percent);
        entry.hour.over_ceiling += u32::from(load.cpu_percent > limits.cpu_ceiling_percent);
    }

    /// What the controller's clock showed when the host's showed `theirs`.
    pub(crate) fn ours(&self, host: &HostId, theirs: Timestamp) -> Timestamp {
        self.lock().hosts.get(host).map_or(theirs, |entry| entry.live.clock.ours(theirs))
    }

    /// The newest report was refused: what was known before says nothing about now.
    pub(crate) fn load_refused(&self, host: &HostId, error: &FieldError) {
        if planted!("bad-load-passed-over") {
            return;
        }
        if let Some(entry) = self.lock().hosts.get_mut(host) {
            entry.generation += 1;
            entry.live.load = None;
            entry.live.bad_load = Some(error.to_string().into());
        }
    }

    /// How many forecasts each connected host could start at once were nothing starting there yet, 1 at least.
    pub fn starts_at_once(&self, policy: &Policy) -> BTreeMap<HostId, u32> {
        let inner = self.lock();
        let connected = inner.hosts.iter().filter(|(_, entry)| entry.live.connected);
        let curves = inner.curves.all();
        connected
            .map(|(host, entry)| (host.clone(), entry.starts_at_once(policy, curves, &self.rule)))
            .collect()
    }

    /// Whether the throttle would let a wake start. Grants nothing.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Granted, Closed> {
        let inner = self.lock();
        let entry = inner.hosts.get(ask.host).ok_or(Closed::NoLoad)?;
        entry.ask(ask, inner.curves.all(), &self.rule)
    }

    /// Asks, and counts the permit at once.
    pub fn grant(&self, wake: WakeId, permitted: Permitted, ask: &Ask<'_>) -> Result<Granted, Closed> {
        let mut inner = self.lock();
        inner.notice(ask.now);
        let Inner { hosts, curves, tally, .. } = &mut *inner;
        let entry = hosts.get_mut(ask.host).ok_or(Closed::NoLoad)?;
        entry.starts.settle(SignedDuration::from_secs(self.rule.load_lag_s.into()), ask.now);
        let granted = entry.ask(ask, curves.all(), &self.rule)?;
        tally.add(&entry.live.zone, &permitted);
        entry.starts.granted(wake, permitted);
        Ok(granted)
    }

    /// The store keeps the permit of a wake, as somebody knows `at` this time.
    pub fn kept(&self, host: &HostId, wake: WakeId, at: Timestamp) {
        if let Some(entry) = self.lock().hosts.get_mut(host) {
            entry.starts.kept(wake, at);
        }
    }

    /// The permit of a wake is given back.
    pub fn ended(&self, host: &HostId, wake: WakeId, over: Over, now: Timestamp) {
        let mut inner = self.lock();
        let Inner { hosts, curves, tally, .. } = &mut *inner;
        let Some(entry) = hosts.get_mut(host) else { return };
        entry.unheard.over(&wake);
        let Some(permitted) = entry.starts.ended(wake, over, now, curves) else { return };
        tally.take(&entry.live.zone, &permitted);
        entry.generation += 1;
        if over == Over::Failed {
            entry.live.gate.failed(entry.starts.running().len() as u32, now);
        }
    }

    /// Whether the wake has a permit on the host.
    pub fn is_running(&self, host: &HostId, wake: WakeId) -> bool {
        let inner = self.lock();
        inner.hosts.get(host).is_some_and(|entry| entry.starts.running().contains_key(&wake))
    }

    /// The permits of a host as its session of this epoch finds them in the store, read from `read_at` on, after its hello
    /// was kept there.
    ///
    /// A permit of an earlier session that is not there by now cannot come there any more, as its commit would be
    /// refused. There are many where this controller was stopped or cut off while another went on with the host's wakes.
    pub fn begin(&self, host: &HostId, epoch: u64, stored: &BTreeMap<WakeId, Permitted>, read_at: Timestamp) {
        let mut inner = self.lock();
        let Inner { hosts, tally, .. } = &mut *inner;
        // Of a session that is over by now nothing is to be said any more.
        if let Some(entry) = hosts.get_mut(host).filter(|entry| entry.live.epoch == epoch) {
            entry.untally(tally);
            entry.starts.fence();
            entry.starts.reconcile(stored, read_at);
            entry.tally(tally);
            entry.is_reconciled = true;
            entry.generation += 1;
        }
    }

    /// Sets the permits of a host right by those in the store, read from `read_at` on. What was granted and is not yet
    /// known to be kept may still be on its way there, and a session that has only begun is set right by [`Registry::begin`].
    pub fn reconcile(&self, host: &HostId, stored: &BTreeMap<WakeId, Permitted>, read_at: Timestamp) {
        let mut inner = self.lock();
        let Inner { hosts, tally, .. } = &mut *inner;
        let entry = hosts.get_mut(host);
        if let Some(entry) = entry.filter(|entry| entry.is_reconciled || !entry.live.connected) {
            entry.untally(tally);
            entry.starts.reconcile(stored, read_at);
            entry.tally(tally);
            entry.generation += 1;
        }
    }

    /// A number that changes when another decision may be made on the host; `None` when it is not connected.
    pub fn generation(&self, host: &HostId) -> Option<u64> {
        let inner = self.lock();
        inner.hosts.get(host).filter(|entry| entry.live.connected).map(|entry| entry.generation)
    }

    /// Permits in use, by host.
    pub fn running(&self) -> BTreeMap<HostId, BTreeMap<WakeId, Permitted>> {
        let inner = self.lock();
        let busy = inner.hosts.iter().filter(|(_, entry)| !entry.starts.running().is_empty());
        busy.map(|(host, entry)| (host.clone(), entry.starts.running().clone())).collect()
    }

    /// What is learned of starts, by class.
    pub fn curves(&self) -> Vec<(ClassName, StartCurve)> {
        self.lock().curves.named().map(|(class, curve)| (class.clone(), curve.clone())).collect()
    }

    /// As the store kept it.
    pub fn restore_curve(&self, class: ClassName, curve: StartCurve) {
        self.lock().curves.restore(class, curve);
    }

    /// Curves that learned since the last call, to be written to the store.
    pub fn take_learned_curves(&self) -> Vec<(ClassName, StartCurve)> {
        self.lock().curves.take_learned()
    }

    /// Load samples since the last call, to be written to the store.
    pub fn take_load_hours(&self) -> Vec<(HostId, LoadHour)> {
        let mut inner = self.lock();
        let taken =
            inner.hosts.iter_mut().map(|(host, entry)| (host.clone(), std::mem::take(&mut entry.hour)));
        taken.filter(|(_, hour)| hour.samples > 0).collect()
    }

    pub fn live(&self, host: &HostId) -> Option<LiveHost> {
        self.lock().hosts.get(host).map(|entry| entry.live.clone())
    }

    /// Agents with a session.
    pub fn connected(&self) -> usize {
        self.lock().connected
    }

    /// Every host that was connected since the start.
    pub fn all(&self) -> Vec<(HostId, LiveHost)> {
        self.lock().hosts.iter().map(|(host, entry)| (host.clone(), entry.live.clone())).collect()
    }

    /// Permits in use in the whole fleet.
    pub fn active(&self) -> u32 {
        self.lock().tally.active()
    }

    /// Those of them on hosts of a zone.
    pub fn active_in_zone(&self, zone: &str) -> u32 {
        self.lock().tally.in_zone(zone)
    }

    /// Looks at how many each owner has, see [`Permitted::owner`].
    pub fn by_owner<T>(&self, look: impl FnOnce(&dyn Fn(&str) -> u32) -> T) -> T {
        let inner = self.lock();
        look(&|owner| inner.tally.of_owner(owner))
    }

    /// Whether an agent with a session here has the instance.
    pub fn is_listed(&self, instance: &InstanceId) -> bool {
        let inner = self.lock();
        let mut connected = inner.hosts.values().filter(|entry| entry.live.connected);
        connected.any(|entry| entry.starts.inventory().has(instance))
    }

    /// Whether an agent saw the instance serve when it last looked.
    pub fn is_serving(&self, instance: &InstanceId) -> bool {
        let inner = self.lock();
        let mut connected = inner.hosts.values().filter(|entry| entry.live.connected);
        connected.any(|entry| entry.starts.inventory().observed(instance) == Some(Observed::Serving))
    }

    /// What the host's agent last saw of an instance.
    pub fn observed(&self, host: &HostId, instance: &InstanceId) -> Option<Observed> {
        let inner = self.lock();
        inner.hosts.get(host)?.starts.inventory().observed(instance)
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
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(entry) = inner.hosts.get_mut(host).filter(|entry| entry.outbox.is_some()) else {
            return false;
        };
        let message = message(&entry.live);
        entry.unheard.sent(&message);
        let sent = entry.send(message);
        if !sent {
            entry.cut_off(&mut inner.connected);
        }
        sent
    }

    /// The host's agent has said something of an attempt: it has the command.
    pub(super) fn heard(&self, host: &HostId, wake: &str, attempt: u32) {
        if let Some(entry) = self.lock().hosts.get_mut(host) {
            entry.unheard.heard(wake, attempt);
        }
    }

    /// Sends commands again that the host's agent has said nothing of for long. Returns how many messages.
    pub(super) fn send_unheard(&self, host: &HostId, now: Timestamp) -> usize {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(entry) = inner.hosts.get_mut(host).filter(|entry| entry.outbox.is_some()) else { return 0 };
        let due = entry.unheard.due(now);
        let messages = due.len();
        if !due.into_iter().all(|message| entry.send(message)) {
            entry.cut_off(&mut inner.connected);
        }
        messages
    }

    /// The hosts with a session here, and its epoch.
    pub fn sessions(&self) -> Vec<(HostId, u64)> {
        let inner = self.lock();
        let connected = inner.hosts.iter().filter(|(_, entry)| entry.live.connected);
        connected.map(|(host, entry)| (host.clone(), entry.live.epoch)).collect()
    }

    /// Ends the session of a host if `is_fenced` says so of its epoch: the store would take none of its moves. The agent comes
    /// back with a new one. Returns whether there was one to be ended.
    pub fn fenced(&self, host: &HostId, is_fenced: impl FnOnce(u64) -> bool) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let entry = inner.hosts.get_mut(host).filter(|entry| entry.live.connected);
        let Some(entry) = entry.filter(|entry| is_fenced(entry.live.epoch)) else { return false };
        if planted!("fenced-session-kept") {
            return false;
        }
        entry.cut_off(&mut inner.connected);
        true
    }

    /// Ends every session, so that the agents go elsewhere. Returns how many there were.
    pub fn let_go(&self) -> usize {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let agents = inner.connected;
        inner.hosts.values_mut().for_each(|entry| entry.cut_off(&mut inner.connected));
        agents
    }

    /// Sends to every connected host.
    pub(super) fn broadcast(&self, message: &v1::controller_message::Kind) {
        let hosts: Vec<HostId> = self.lock().hosts.keys().cloned().collect();
        for host in hosts {
            self.send(&host, message.clone());
        }
    }
}
