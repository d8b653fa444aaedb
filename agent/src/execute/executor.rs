//! All wakes in hand: takes the controller's commands without waiting and answers from the book.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use reveille_proto::{HostId, InstanceId, WakeId, clock::Clock, edge::Observed, planted, points::Points, v1};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::{
    Book, Entry, Limits, Next, Order, Record,
    book::Standing,
    journal::Journal,
    report::{Reports, unfinished},
    running::{Inner, Running, State},
    seen::Seen,
};
use crate::{driver::Targets, group::Tally, load::Reading, metrics::Metrics};

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
    /// Told whose wakes are in hand.
    pub tally: Tally,
    pub metrics: Metrics,
    /// Ends all tasks where they are; the journal tells the next agent what is left.
    pub stop: CancellationToken,
    /// Who is told of the points that are passed.
    pub points: Points,
}

/// Carries out wakes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Executor(Arc<Inner>);

impl Executor {
    pub fn new(parts: Parts) -> Self {
        let Parts { clock, host, targets, journal, book, limits, load, tally, metrics, stop, points } = parts;
        let (running, active) = (BTreeMap::new(), BTreeMap::new());
        let state = State { book, limits, running, active, seen: Seen::default() };
        Self(Arc::new(Inner {
            clock,
            host,
            targets,
            journal,
            own_limits: limits,
            load,
            tally,
            metrics,
            stop,
            tasks: TaskTracker::new(),
            reports: Reports::new(points.clone()),
            points,
            state: Mutex::new(state),
        }))
    }

    /// Goes on with what an earlier agent left. Those that only look take their places first: they cannot be refused.
    pub fn resume(&self) {
        let mut left: Vec<Entry> =
            self.0.state().book.entries().filter(|entry| entry.next() != Next::Over).cloned().collect();
        if !left.is_empty() && planted!("nothing-resumed-after-a-restart") {
            return;
        }
        left.sort_by_key(|entry| entry.next() != Next::Look);
        for Entry { order, .. } in left {
            info!(wake_id = %order.wake, instance_id = %order.instance, attempt = order.attempt, "going on with a wake from the journal");
            let running = Running::new(&order);
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
            Standing::New if running.as_ref().is_some_and(|running| running.attempt >= order.attempt) => {
                if let Some(running) = running.filter(|running| running.attempt == order.attempt) {
                    running.given_under(order.epoch);
                }
            }
            Standing::New => {
                let begun = Running::new(&order);
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

    /// The highest epoch seen: commands of a lower one are ignored.
    pub fn known_epoch(&self) -> u64 {
        self.0.state().book.epoch()
    }

    /// What the agent's own configuration allows at most.
    pub fn own_limits(&self) -> Limits {
        self.0.own_limits
    }

    /// What holds now.
    pub fn limits(&self) -> Limits {
        self.0.state().limits
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

    /// What was last seen of each instance, in the order of the inventory.
    pub fn observed(&self) -> Vec<(&InstanceId, Observed)> {
        let state = self.0.state();
        let starting: BTreeSet<&InstanceId> = state.active.values().collect();
        let seen = |id| if starting.contains(id) { Observed::Starting } else { state.seen.get(id) };
        self.0.targets.keys().map(|id| (id, seen(id))).collect()
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
