//! All wakes in hand: takes commands without waiting, runs each attempt as a task, keeps the book.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use reveille_proto::{HostId, InstanceId, WakeId, clock::Clock, v1};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use super::{
    Book, Ending, Entry, Limits, Next, Order, Record, Refusal,
    attempt::{Attempt, refused},
    book::Standing,
    journal::{Journal, JournalError},
    report::{Reports, unfinished},
};
use crate::chain::Chain;
use crate::{driver::Targets, load::Reading, metrics::Metrics};

/// What an executor is made of.
#[derive(Debug)]
pub struct Parts {
    pub clock: Clock,
    pub host: HostId,
    pub targets: Targets,
    pub journal: Journal,
    pub book: Book,
    pub limits: Limits,
    pub load: watch::Receiver<Option<Reading>>,
    pub metrics: Metrics,
    /// Ends all tasks where they are; the journal tells the next agent what is left.
    pub stop: CancellationToken,
}

/// Carries out wakes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Executor(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) clock: Clock,
    host: HostId,
    targets: Targets,
    journal: Journal,
    own_limits: Limits,
    load: watch::Receiver<Option<Reading>>,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    reports: Reports,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    book: Book,
    limits: Limits,
    running: BTreeMap<WakeId, Running>,
    active: BTreeMap<WakeId, InstanceId>,
}

/// The task of one attempt, and how to reach it.
#[derive(Debug, Clone)]
struct Running {
    attempt: u32,
    cancel: CancellationToken,
    /// A higher attempt has come: end without a result.
    superseded: CancellationToken,
    finished: CancellationToken,
}

impl Running {
    fn new(attempt: u32) -> Self {
        let [cancel, superseded, finished] = [(); 3].map(|()| CancellationToken::new());
        Self { attempt, cancel, superseded, finished }
    }
}

impl Executor {
    pub fn new(parts: Parts) -> Self {
        let Parts { clock, host, targets, journal, book, limits, load, metrics, stop } = parts;
        let state = State { book, limits, running: BTreeMap::new(), active: BTreeMap::new() };
        Self(Arc::new(Inner {
            clock,
            host,
            targets,
            journal,
            own_limits: limits,
            load,
            metrics,
            stop,
            tasks: TaskTracker::new(),
            reports: Reports::default(),
            state: Mutex::new(state),
        }))
    }

    /// Goes on with what an earlier agent left. Those that only look take their places first: they cannot be refused.
    pub fn resume(&self) {
        let mut left: Vec<Entry> =
            self.0.state().book.entries().filter(|entry| entry.next() != Next::Over).cloned().collect();
        left.sort_by_key(|entry| entry.next() != Next::Look);
        for Entry { order, .. } in left {
            info!(wake_id = %order.wake, instance_id = %order.instance, attempt = order.attempt, "going on with a wake from the journal");
            let running = Running::new(order.attempt);
            self.0.state().running.insert(order.wake, running.clone());
            let slot = self.0.admit(&order);
            let inner = Arc::clone(&self.0);
            self.0.tasks.spawn(async move { inner.carry_out(order, slot, running).await });
        }
    }

    /// Takes a command. Returns at once; what comes of it is reported.
    pub fn wake(&self, order: Order) {
        let inner = &self.0;
        let mut state = inner.state();
        let standing = state.book.standing(&order);
        let running = state.running.get(&order.wake).cloned();
        match standing {
            Standing::StaleEpoch => {
                warn!(wake_id = %order.wake, epoch = order.epoch, known_epoch = state.book.epoch(), "a command of a replaced controller is ignored");
            }
            Standing::StaleAttempt => {
                debug!(wake_id = %order.wake, attempt = order.attempt, "a command for an earlier attempt is ignored");
                inner.reports.ack(&order);
            }
            Standing::Repeated => {
                inner.reports.ack(&order);
                if let Some(entry) = state.book.get(order.wake) {
                    inner.reports.standing(entry, inner.clock.now());
                }
            }
            // On its way to the disk; it will be acknowledged from there.
            Standing::New if running.as_ref().is_some_and(|running| running.attempt >= order.attempt) => {}
            Standing::New => {
                let begun = Running::new(order.attempt);
                state.running.insert(order.wake, begun.clone());
                drop(state);
                let inner = Arc::clone(inner);
                self.0.tasks.spawn(async move { inner.begin(order, running, begun).await });
            }
        }
    }

    /// Stops a wake, unless it is over.
    pub fn cancel(&self, wake: WakeId, epoch: u64) {
        let state = self.0.state();
        if epoch < state.book.epoch() {
            warn!(wake_id = %wake, epoch, known_epoch = state.book.epoch(), "a cancel of a replaced controller is ignored");
        } else if let Some(running) = state.running.get(&wake) {
            info!(wake_id = %wake, "cancelled by the controller");
            running.cancel.cancel();
        } else if let Some(entry) = state.book.get(wake) {
            self.0.reports.standing(entry, self.0.clock.now());
        }
    }

    /// The controller has the result of an attempt.
    pub fn acked(&self, wake: WakeId, attempt: u32) {
        let waits = |entry: &Entry| entry.ending.is_some() && !entry.acked && entry.order.attempt == attempt;
        if !self.0.state().book.get(wake).is_some_and(waits) {
            return;
        }
        self.0.keep(Record::Acked { wake, attempt, at: self.0.clock.now() });
        self.0.state().book.forget_oldest(self.0.clock.now());
    }

    /// The epoch of the controller at the other end.
    pub fn see_epoch(&self, epoch: u64) {
        let known = self.0.state().book.epoch();
        if epoch > known {
            self.0.keep(Record::Epoch { epoch });
        } else if epoch < known {
            warn!(
                epoch,
                known_epoch = known,
                "this controller has been replaced by a newer one; its commands are ignored"
            );
        }
    }

    /// Settings of the controller; they only ever make the agent's own stricter.
    pub fn configure(&self, configure: &v1::Configure) {
        self.0.state().limits = self.0.own_limits.stricter(configure);
    }

    /// Reports go to `link` from now on, or nowhere.
    pub fn attach(&self, link: Option<mpsc::Sender<v1::AgentMessage>>) {
        self.0.reports.attach(link);
    }

    /// Tells how far each wake has come, and each result that is not acknowledged.
    pub fn tell_all(&self) {
        self.tell(|_| true);
    }

    /// Tells the results that are not acknowledged once more.
    pub fn tell_results(&self) {
        self.tell(|entry| entry.ending.is_some());
    }

    fn tell(&self, which: impl Fn(&Entry) -> bool) {
        let state = self.0.state();
        let now = self.0.clock.now();
        state
            .book
            .entries()
            .filter(|entry| !entry.acked && which(entry))
            .for_each(|e| self.0.reports.standing(e, now));
    }

    /// For the hello: wakes that are not over, and results that are not acknowledged.
    pub fn unfinished(&self) -> Vec<v1::UnfinishedWake> {
        self.0.state().book.entries().filter(|entry| !entry.acked).map(unfinished).collect()
    }

    /// For the hello: what may be woken here.
    pub fn inventory(&self) -> Vec<v1::InventoryItem> {
        let item = |(id, target): (&InstanceId, &crate::driver::Target)| v1::InventoryItem {
            instance_id: id.to_string(),
            cohort: target.cohort.clone(),
            driver: target.kind.into(),
        };
        self.0.targets.iter().map(item).collect()
    }

    /// Wakes being carried out.
    pub fn active(&self) -> u32 {
        self.0.state().active.len() as u32
    }

    /// Waits until every task has ended; `stop` makes them.
    pub async fn drained(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    pub(super) fn entry(&self, wake: WakeId) -> Option<Entry> {
        self.state().book.get(wake).cloned()
    }

    /// Puts a fact in the journal, then in the book, and tells the controller where its wake stands.
    pub(super) async fn record(&self, record: Record) -> Result<(), JournalError> {
        let written = self.journal.append(&record, self.clock.now()).await;
        // A call that is not on disk is not made; everything else has happened, written or not.
        if written.is_ok() || !matches!(record, Record::Calling { .. } | Record::Received { .. }) {
            let mut state = self.state();
            state.book.apply(&record);
            if let Some(entry) = record.wake().and_then(|wake| state.book.get(wake)) {
                self.reports.standing(entry, self.clock.now());
            }
        }
        written
    }

    /// Puts a fact in the book now and in the journal soon; its loss would be harmless.
    fn keep(self: &Arc<Self>, record: Record) {
        self.state().book.apply(&record);
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = inner.journal.append(&record, inner.clock.now()).await {
                warn!(error = %Chain(&error), "an acknowledgement is not in the journal");
            }
        });
    }

    /// A new attempt: after the one before has ended, on disk, acknowledged, carried out.
    async fn begin(self: Arc<Self>, order: Order, before: Option<Running>, running: Running) {
        if let Some(before) = before {
            before.superseded.cancel();
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = before.finished.cancelled() => {}
            }
        }
        let received = Record::Received { order: order.clone(), at: self.clock.now() };
        if let Err(error) = self.record(received).await {
            let error = Chain(&error);
            error!(wake_id = %order.wake, instance_id = %order.instance, %error, "a command is not in the journal and not taken");
            return self.finished(order.wake, &running);
        }
        self.reports.ack(&order);
        let slot = self.admit(&order);
        self.carry_out(order, slot, running).await;
    }

    /// Guard. A look is never refused: it costs nothing, and somebody waits for its answer.
    fn admit(self: &Arc<Self>, order: &Order) -> Result<Slot, Refusal> {
        if !self.targets.contains_key(&order.instance) {
            return Err(Refusal::NotListed);
        }
        let mut state = self.state();
        if state.book.get(order.wake).is_some_and(|entry| entry.next() == Next::Go) {
            if let Some((other, _)) = state.active.iter().find(|(_, instance)| **instance == order.instance) {
                return Err(Refusal::Busy { other: *other });
            }
            let reading = *self.load.borrow();
            state.limits.admit(reading, self.clock.now(), state.active.len())?;
        }
        state.active.insert(order.wake, order.instance.clone());
        self.metrics.active_wakes.set(state.active.len() as i64);
        Ok(Slot { inner: Arc::clone(self), wake: order.wake })
    }

    async fn carry_out(self: Arc<Self>, order: Order, slot: Result<Slot, Refusal>, running: Running) {
        let next = self.entry(order.wake).map_or(Next::Over, |entry| entry.next());
        let ending = match (&slot, self.targets.get(&order.instance)) {
            (Ok(_), Some(target)) => {
                let attempt = Attempt { inner: &self, order: &order, target };
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => None,
                    () = running.superseded.cancelled() => None,
                    ending = attempt.run(next, &running.cancel) => Some(ending),
                }
            }
            (Err(refusal), _) => Some(self.refusal(&order, refusal)),
            (Ok(_), None) => Some(self.refusal(&order, &Refusal::NotListed)),
        };
        // The place is given back before the end is told, so that whoever hears of it finds the place free.
        drop(slot);
        if let Some(ending) = ending {
            self.end(&order, ending).await;
        }
        self.finished(order.wake, &running);
    }

    fn refusal(&self, order: &Order, refusal: &Refusal) -> Ending {
        // Earlier attempts' calls are not undone by a no.
        let effect = match self.entry(order.wake) {
            Some(entry) if entry.next() == Next::Look && entry.effect == v1::Effect::None => {
                v1::Effect::Unknown
            }
            Some(entry) => entry.effect,
            None => v1::Effect::Unknown,
        };
        refused(refusal, effect, self.clock.now())
    }

    async fn end(&self, order: &Order, ending: Ending) {
        let Order { wake, attempt, instance, .. } = order;
        info!(
            wake_id = %wake, instance_id = %instance, host_id = %self.host, attempt,
            outcome = ending.outcome.as_str_name(), effect = ending.effect.as_str_name(), detail = ending.detail,
            "wake ended"
        );
        self.metrics.count(ending.outcome);
        if let Err(error) = self.record(Record::Done { wake: *wake, attempt: *attempt, ending }).await {
            error!(wake_id = %wake, error = %Chain(&error), "the end of a wake is not in the journal");
        }
    }

    fn finished(&self, wake: WakeId, running: &Running) {
        let mut state = self.state();
        if state.running.get(&wake).is_some_and(|known| known.attempt == running.attempt) {
            state.running.remove(&wake);
        }
        running.finished.cancel();
    }
}

/// A place among the active wakes, given back when it is dropped.
struct Slot {
    inner: Arc<Inner>,
    wake: WakeId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.active.remove(&self.wake);
        self.inner.metrics.active_wakes.set(state.active.len() as i64);
    }
}
