//! What starts on one host: the permits in use, and what they are measured to cost.
//!
//! The permits themselves are rows of the store; this is their mirror, so that a decision needs no query. It is set right
//! by [`Starts::reconcile`] from time to time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{InstanceId, WakeId, edge::LoadReport, planted};

use super::inventory::Inventory;
use crate::throttle::{ClassName, Curves, Measurement, Pace, Running};

/// A permit in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    pub instance: InstanceId,
    pub since: Timestamp,
    /// On whose account, see [`crate::queue::Queued::owner`].
    pub owner: String,
}

/// How a wake ended, as far as the throttle is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The whole start was seen.
    Served,
    /// The endpoint failed, or it did not serve in time: the host may be the cause.
    Failed,
    /// Nothing is learned of it.
    Other,
}

/// How far a permit is on its way to the store.
#[derive(Debug, Clone, Copy)]
enum Fresh {
    /// Nobody knows yet whether it is there. Who knows will say so, or give it back.
    Pending { since: Timestamp },
    /// What was read from then on has it.
    Kept { at: Timestamp },
}

/// Nobody is left who could say what became of a commit: the store ends those that take longer.
const PENDING_MAX: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub(super) struct Starts {
    pace: Pace<WakeId>,
    running: BTreeMap<WakeId, Permitted>,
    /// Granted since the mirror was last set right: what the store was asked to keep.
    fresh: BTreeMap<WakeId, Fresh>,
    /// When it ended, and what it was.
    settling: Vec<(Timestamp, Running)>,
    /// Given back since the mirror was last set right, and when.
    over: BTreeMap<WakeId, Timestamp>,
    inventory: Inventory,
}

/// The group of the starts is full when it wanted more in a larger share of the time.
const THROTTLED_SHARE_MIN: f64 = 0.1;
/// Starts are taken to get at least this share of what they want.
const GRANTED_MIN: f64 = 0.05;

impl Starts {
    /// The instances an agent lists, with their cohorts.
    pub(super) fn list<'a>(
        &mut self,
        host_class: &str,
        inventory: impl Iterator<Item = (&'a InstanceId, &'a str)>,
        curves: &mut Curves,
    ) {
        let class = |cohort: &str| ClassName { cohort: cohort.to_owned(), host_class: host_class.to_owned() };
        self.inventory =
            Inventory::new(inventory.map(|(id, cohort)| (id.clone(), curves.place(class(cohort)))));
    }

    pub(super) fn pace(&self) -> &Pace<WakeId> {
        &self.pace
    }

    pub(super) fn running(&self) -> &BTreeMap<WakeId, Permitted> {
        &self.running
    }

    pub(super) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    pub(super) fn settling(&self) -> impl Iterator<Item = Running> {
        self.settling.iter().map(|(_, running)| *running)
    }

    /// A permit is granted. It counts, whatever the store says, until that is known to keep it.
    pub(super) fn granted(&mut self, wake: WakeId, permitted: Permitted) {
        self.fresh.insert(wake, Fresh::Pending { since: permitted.since });
        self.adopt(wake, permitted);
    }

    /// The store keeps the permit since `at` or longer.
    pub(super) fn kept(&mut self, wake: WakeId, at: Timestamp) {
        if let Some(fresh) = self.fresh.get_mut(&wake) {
            *fresh = Fresh::Kept { at };
        }
    }

    fn adopt(&mut self, wake: WakeId, permitted: Permitted) {
        if let Some(class) = self.inventory.class_of(&permitted.instance) {
            self.pace.start(wake, class);
        }
        self.over.remove(&wake);
        self.running.insert(wake, permitted);
    }

    fn take(&mut self, wake: WakeId) -> Option<Permitted> {
        if planted!("permit-never-given-back") {
            return self.running.get(&wake).cloned();
        }
        self.fresh.remove(&wake);
        self.running.remove(&wake)
    }

    /// A permit is given back, and is what is returned; `None` when there was none.
    pub(super) fn ended(
        &mut self,
        wake: WakeId,
        over: Over,
        now: Timestamp,
        curves: &mut Curves,
    ) -> Option<Permitted> {
        let permitted = self.take(wake)?;
        self.over.insert(wake, now);
        self.settling.push((now, Running { since: permitted.since }));
        if over == Over::Served {
            self.pace.end(&wake, curves.all_mut());
        } else {
            self.pace.forget(&wake);
        }
        Some(permitted)
    }

    /// Sets the mirror right: these were the permits of the host by the store when reading them began at `read_at`. What was
    /// kept since then may be missing there, and what was given back since may still be there.
    pub(super) fn reconcile(&mut self, stored: &BTreeMap<WakeId, Permitted>, read_at: Timestamp) {
        self.over.retain(|_, at| *at >= read_at);
        self.fresh.retain(|_, fresh| match fresh {
            Fresh::Pending { since } => read_at.duration_since(*since) < PENDING_MAX,
            Fresh::Kept { at } => *at >= read_at,
        });
        let lost = |wake: &&WakeId| !stored.contains_key(*wake) && !self.fresh.contains_key(*wake);
        for wake in self.running.keys().filter(lost).copied().collect::<Vec<_>>() {
            self.take(wake);
            self.pace.forget(&wake);
        }
        for (wake, permitted) in stored {
            if !self.running.contains_key(wake) && !self.over.contains_key(wake) {
                self.adopt(*wake, permitted.clone());
            }
        }
    }

    /// Nothing of an earlier session can come to the store any more, as its commit would be refused.
    pub(super) fn fence(&mut self) {
        self.fresh.clear();
    }

    /// Forgets ends that show in the measured load by now.
    pub(super) fn settle(&mut self, lag: SignedDuration, now: Timestamp) {
        self.settling.retain(|(ended_at, _)| now.duration_since(*ended_at) <= lag);
    }

    /// Takes in what the agent sees of its instances.
    pub(super) fn seen(&mut self, report: &LoadReport) {
        for instance in &report.instances {
            self.inventory.see(instance.index as usize, instance.observed);
        }
    }

    /// Takes in what was measured over `seconds`.
    pub(super) fn measured(&mut self, report: &LoadReport, seconds: f64, curves: &Curves) {
        let load = &report.load;
        let cores_used = load.cpu_percent_now.unwrap_or(load.cpu_percent) / 100.0 * load.cores;
        let each: BTreeMap<WakeId, f64> = report.wakes.iter().map(|wake| (wake.wake, wake.cores)).collect();
        let keys: Vec<WakeId> = self.pace.started().iter().map(|started| started.key).collect();
        // An agent that can measure starts says of each what it used; one that cannot says nothing of any.
        let is_measured = load.group_cores.is_some() || keys.iter().any(|key| each.contains_key(key));
        let by_start: Vec<f64> = keys.iter().map(|key| each.get(key).copied().unwrap_or(0.0)).collect();
        let measurement = Measurement {
            seconds,
            cores_used,
            by_start: is_measured.then_some(by_start.as_slice()),
            granted: self.granted_share(load.group_throttled_share, by_start.iter().sum(), curves),
        };
        self.pace.measured(&measurement, curves.all());
    }

    /// What the starts got of what they wanted. The kernel says that they wanted more, the curves how much more.
    fn granted_share(&self, throttled_share: Option<f64>, used: f64, curves: &Curves) -> f64 {
        if throttled_share.is_none_or(|share| share < THROTTLED_SHARE_MIN) {
            return 1.0;
        }
        let expected: f64 = self
            .pace
            .started()
            .iter()
            .filter_map(|started| Some(curves.all().get(started.class)?.cores(started.progress_s)))
            .sum();
        if expected > used { (used / expected).max(GRANTED_MIN) } else { 1.0 }
    }
}
