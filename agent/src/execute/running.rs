//! Attempts as tasks: begun, given a place, carried out, ended; each step in the journal, then in the book.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use reveille_proto::{HostId, InstanceId, WakeId, clock::Clock, planted, points::Points, v1};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use super::{
    Book, Ending, Entry, Limits, Next, Order, Record, Refusal,
    attempt::{Attempt, refused},
    journal::{Journal, JournalError},
    report::Reports,
    seen::Seen,
};
use crate::{chain::Chain, driver::Targets, group::Tally, load::Reading, metrics::Metrics};

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) clock: Clock,
    pub(super) host: HostId,
    pub(super) targets: Targets,
    pub(super) journal: Journal,
    pub(super) own_limits: Limits,
    pub(super) load: watch::Receiver<Option<Reading>>,
    pub(super) tally: Tally,
    pub(super) metrics: Metrics,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) reports: Reports,
    pub(super) points: Points,
    pub(super) state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) book: Book,
    pub(super) limits: Limits,
    pub(super) running: BTreeMap<WakeId, Running>,
    pub(super) active: BTreeMap<WakeId, InstanceId>,
    pub(super) seen: Seen,
}

/// The task of one attempt, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) attempt: u32,
    /// Of the last controller that gave the command, as long as it is on its way to the disk.
    epoch: Arc<AtomicU64>,
    pub(super) cancel: CancellationToken,
    /// A higher attempt has come: end without a result.
    pub(super) superseded: CancellationToken,
    pub(super) finished: CancellationToken,
}

impl Running {
    pub(super) fn new(order: &Order) -> Self {
        let [cancel, superseded, finished] = [(); 3].map(|()| CancellationToken::new());
        let epoch = Arc::new(order.epoch.into());
        Self { attempt: order.attempt, epoch, cancel, superseded, finished }
    }

    /// The command was given again.
    pub(super) fn given_under(&self, epoch: u64) {
        self.epoch.fetch_max(epoch, Ordering::Relaxed);
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    pub(super) fn entry(&self, wake: WakeId) -> Option<Entry> {
        self.state().book.get(wake).cloned()
    }

    /// Puts a fact in the journal, then in the book, and tells the controller where its wake stands.
    pub(super) async fn record(&self, record: Record) -> Result<(), JournalError> {
        self.record_then(record, || ()).await
    }

    /// The same, and does `then` as soon as it is in the journal, in the order of that.
    async fn record_then(
        &self,
        record: Record,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<(), JournalError> {
        let written = self.journal.append_then(&record, self.clock.now(), then).await;
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
    pub(super) fn keep(self: &Arc<Self>, record: Record) {
        self.state().book.apply(&record);
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = inner.journal.append(&record, inner.clock.now()).await {
                warn!(error = %Chain(&error), "an acknowledgement is not in the journal");
            }
        });
    }

    /// A new attempt: after the one before has ended, on disk, acknowledged, carried out.
    pub(super) async fn begin(self: Arc<Self>, mut order: Order, before: Option<Running>, running: Running) {
        if let Some(before) = before {
            before.superseded.cancel();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = before.finished.cancelled() => {}
            }
        }
        order.epoch = running.epoch.load(Ordering::Relaxed);
        let known_epoch = self.state().book.epoch();
        if order.epoch < known_epoch {
            // Whoever is in office now gives it again, if it is still wanted.
            warn!(wake_id = %order.wake, epoch = order.epoch, known_epoch, "a command of a replaced controller is ignored");
            return self.finished(order.wake, &running);
        }
        let received = Record::Received { order: order.clone(), at: self.clock.now() };
        let (inner, taken) = (Arc::clone(&self), order.clone());
        if let Err(error) = self.record_then(received, move || inner.reports.ack(&taken)).await {
            let error = Chain(&error);
            error!(wake_id = %order.wake, instance_id = %order.instance, %error, "a command is not in the journal and not taken");
            return self.finished(order.wake, &running);
        }
        let slot = self.admit(&order);
        self.carry_out(order, slot, running).await;
    }

    /// Guard. A look is never refused: it costs nothing, and somebody waits for its answer.
    pub(super) fn admit(self: &Arc<Self>, order: &Order) -> Result<Slot, Refusal> {
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
        self.tally.begin(order.wake, &order.instance);
        self.metrics.active_wakes.set(state.active.len() as i64);
        Ok(Slot { inner: Arc::clone(self), wake: order.wake })
    }

    pub(super) async fn carry_out(
        self: Arc<Self>,
        order: Order,
        slot: Result<Slot, Refusal>,
        running: Running,
    ) {
        let next = self.entry(order.wake).map_or(Next::Over, |entry| entry.next());
        let ending = match (&slot, self.targets.get(&order.instance)) {
            (Ok(_), Some(target)) => {
                let attempt = Attempt { inner: &self, order: &order, target, unclear: OnceLock::new() };
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
        self.state().seen.ended(instance, &ending);
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
pub(super) struct Slot {
    inner: Arc<Inner>,
    wake: WakeId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if planted!("place-never-given-back") {
            return;
        }
        let mut state = self.inner.state();
        state.active.remove(&self.wake);
        self.inner.tally.end(self.wake);
        self.inner.metrics.active_wakes.set(state.active.len() as i64);
    }
}
