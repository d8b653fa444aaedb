//! What the tasks, the sessions and the API share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rand::{Rng, RngExt, rngs::StdRng};
use reveille_proto::{
    InstanceId, WakeId,
    clock::Clock,
    points::{Points, Step},
    waits::Waits,
};
use tokio::sync::{Notify, watch};

use super::{Learned, Levers, Metrics, Office, ReceiverRests, SharedBoard, learned::Mind};
use crate::{
    calendars::Calendars,
    config::Config,
    fleet::Registry,
    model::{DayCalendar, Profiles},
    policy::{Policy, PolicyError},
    store::{PolicyChange, Store, StoreError},
    wake::{Needs, Wake},
};

/// How long verdicts wait for a log that cannot be read.
const LOGS_WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Bad events of calendars that are told one by one after a change.
const BAD_EVENTS_TOLD_MAX: usize = 10;

/// Something a task may be asked to look at before its time comes.
#[derive(Debug, Default)]
pub struct Signals {
    pub ingest: Notify,
    pub learn: Notify,
    pub plan: Notify,
    pub dispatch: Notify,
    pub settle: Notify,
    pub notify: Notify,
}

/// Everything that is one per controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    /// Of this start.
    pub epoch: u64,
    /// Id of this start in the database: one that starts again holds no session of before.
    pub controller: String,
    pub fleet: Registry,
    pub board: SharedBoard,
    pub lead: Office,
    pub levers: Levers,
    pub receivers: ReceiverRests,
    pub needs: Needs,
    /// When instances that others need last served at the end of a wake, by the store: for those other controllers see.
    pub needed: Mutex<BTreeMap<InstanceId, Timestamp>>,
    pub signals: Signals,
    pub metrics: Metrics,
    pub points: Points,
    pub waits: Waits,
    pub calendars: Calendars,
    policy: watch::Sender<Arc<Policy>>,
    /// The model in service.
    learned: RwLock<Option<Learned>>,
    /// Versions are loaded one after the other.
    pub(super) learned_turn: tokio::sync::Mutex<()>,
    /// Milliseconds since 1970 up to which every log was read; 0 is not yet.
    logs_read_ms: AtomicI64,
    /// Policy changes take turns.
    policy_turn: tokio::sync::Mutex<()>,
    rng: Mutex<StdRng>,
}

impl std::ops::Deref for Shared {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A change of policy that was not made.
#[derive(Debug, thiserror::Error)]
pub enum PolicyChangeError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("failed to keep the change")]
    Store(#[from] StoreError),
}

/// The configuration's, with what was set at run time above it.
async fn policy_in_force(config: &Config, store: &Store) -> Result<Policy, StoreError> {
    let mut policy = config.policy.clone();
    for row in store.policy_list().await? {
        match policy.set(&row.key, &row.value) {
            Ok(next) => policy = next,
            Err(error) => tracing::warn!(key = row.key, %error, "a policy key set earlier is left out"),
        }
    }
    Ok(policy)
}

/// What a wake needs is asked for just before it.
const ASKED_BEFORE: SignedDuration = SignedDuration::from_secs(2);

impl Shared {
    /// The policy is the configuration's, with what was set at run time above it.
    pub(super) async fn new(
        config: Config,
        clock: Clock,
        store: Store,
        (rng, points, waits): (StdRng, Points, Waits),
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let is_alone = !store.is_shared();
        let epoch = store.epoch_begin(now, env!("CARGO_PKG_VERSION")).await?;
        let policy = policy_in_force(&config, &store).await?;
        // A configuration with cycles was refused before it came here.
        let needs = config.needs().unwrap_or_default();
        let fleet = Registry::new(config.throttle);
        for (class, curve) in store.start_curves().await? {
            fleet.restore_curve(class, curve);
        }
        let metrics = Metrics::new();
        let zone = TimeZone::get(&config.model.time_zone).unwrap_or(TimeZone::UTC);
        let calendars = Calendars::new(config.calendars.clone(), zone);
        let (policy, _) = watch::channel(Arc::new(policy));
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            store,
            epoch,
            controller: format!("controller-{epoch}"),
            fleet,
            board: SharedBoard::default(),
            lead: Office::new(is_alone, crate::tasks::LEASE_TTL),
            levers: Levers::new(is_alone, now),
            receivers: ReceiverRests::default(),
            needs,
            needed: Mutex::default(),
            signals: Signals::default(),
            metrics,
            points,
            calendars,
            policy,
            learned: RwLock::default(),
            learned_turn: tokio::sync::Mutex::default(),
            logs_read_ms: AtomicI64::new(0),
            policy_turn: tokio::sync::Mutex::default(),
            waits,
            rng: Mutex::new(rng),
        })))
    }

    /// The first of what an instance needs that does not serve yet.
    ///
    /// The agent's word counts. Where no agent of this controller has the needed instance, it is taken to serve once a
    /// wake of it ended so since this one was asked for.
    pub fn needs_first(&self, wake: &Wake) -> Option<InstanceId> {
        let serves = |id: &InstanceId| {
            if self.fleet.is_listed(id) {
                return self.fleet.is_serving(id);
            }
            let needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
            needed.get(id).is_some_and(|at| *at >= wake.created_at - ASKED_BEFORE)
        };
        self.needs.of(&wake.instance).iter().find(|id| !serves(id)).cloned()
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }

    /// Takes in what other controllers changed.
    pub async fn policy_refresh(&self) -> Result<(), StoreError> {
        let _turn = self.policy_turn.lock().await;
        let policy = policy_in_force(&self.config, &self.store).await?;
        if policy != **self.policy.borrow() {
            tracing::info!("the policy was changed through another controller");
            self.policy.send_replace(Arc::new(policy));
            self.signals.plan.notify_one();
            self.signals.dispatch.notify_one();
        }
        Ok(())
    }

    /// Asks the model in service, if one is in memory. Sightings wait meanwhile.
    pub fn learned<T>(&self, ask: impl FnOnce(&Learned) -> T) -> Option<T> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(ask)
    }

    pub(super) fn learned_set(&self, learned: Learned) {
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = Some(learned);
    }

    pub(super) fn learned_change(&self, change: impl FnOnce(&mut Profiles)) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(Learned { mind: Mind::Fitted { profiles, .. }, .. }) = learned.as_mut() {
            change(profiles);
        }
    }

    /// Tells of every change of policy.
    pub fn policy_watch(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.subscribe()
    }

    /// Changes one key: checked, recorded with who and when, in force when this returns.
    pub async fn policy_set(
        &self,
        key: &str,
        value: &str,
        by: &str,
    ) -> Result<Arc<Policy>, PolicyChangeError> {
        let _turn = self.policy_turn.lock().await;
        let old = self.policy();
        let new = Arc::new(old.set(key, value)?);
        let change = self.policy_change((&old, &new), key, by);
        self.store.policy_change(&change).await?;
        self.policy_takes_effect(new.clone(), &change);
        Ok(new)
    }

    /// Takes one key back to what the configuration says: recorded with who and when, in force when this returns. A key
    /// that was not set at run time stays as it is, and nothing is recorded.
    pub async fn policy_unset(&self, key: &str, by: &str) -> Result<Arc<Policy>, PolicyChangeError> {
        let _turn = self.policy_turn.lock().await;
        let old = self.policy();
        let new = Arc::new(old.reset(key, &self.config.policy)?);
        if self.store.policy_list().await?.iter().all(|row| row.key != key) {
            return Ok(old);
        }
        let change = self.policy_change((&old, &new), key, by);
        self.store.policy_unset(&change).await?;
        self.policy_takes_effect(new.clone(), &change);
        Ok(new)
    }

    fn policy_change(&self, (old, new): (&Policy, &Policy), key: &str, by: &str) -> PolicyChange {
        let text = |policy: &Policy| {
            let entry = policy.entries().into_iter().find(|(name, _)| name == key);
            entry.map_or_else(String::new, |(_, value)| value.to_string())
        };
        PolicyChange {
            changed_at: self.clock.now(),
            changed_by: by.to_owned(),
            key: key.to_owned(),
            old_value: text(old),
            new_value: text(new),
        }
    }

    /// From here on, on this controller.
    fn policy_takes_effect(&self, new: Arc<Policy>, change: &PolicyChange) {
        let PolicyChange { key, old_value, new_value, changed_by, .. } = change;
        self.policy.send_replace(new);
        self.points.pass(Step::PolicyKept, key, None, None);
        tracing::info!(key, old = old_value, new = new_value, by = changed_by, "policy changed");
        self.signals.plan.notify_one();
        self.signals.dispatch.notify_one();
    }

    /// Holidays and quiet times around `now`; calendar files that changed are read again.
    pub fn days(&self, now: Timestamp) -> Arc<DayCalendar> {
        let found = self.calendars.refresh(now);
        for event in found.bad.iter().take(BAD_EVENTS_TOLD_MAX) {
            tracing::warn!(%event, "an event of a calendar is left out");
        }
        if found.bad.len() > BAD_EVENTS_TOLD_MAX {
            tracing::warn!(events = found.bad.len(), "more events of calendars are left out");
        }
        for error in &found.lost {
            tracing::warn!(error = error.told(), "a calendar keeps what it said before");
        }
        self.metrics.calendar_problems(found.bad.len(), found.lost.len());
        found.days
    }

    /// Every log was read as it was at `at`.
    pub(crate) fn logs_read(&self, at: Timestamp) {
        self.logs_read_ms.store(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Until when all visits are known. A log that cannot be read is waited for, but not for ever: an hour later
    /// the others are taken for all there is.
    pub fn logs_read_until(&self) -> Timestamp {
        let read = Timestamp::from_millisecond(self.logs_read_ms.load(Ordering::Relaxed));
        let waited = self.clock.now() - LOGS_WAIT_MAX;
        let known = read.map_or(waited, |read| read.max(waited));
        known - SignedDuration::from_secs(self.config.visits.log_lag_s.into())
    }

    /// A new wake id for `now`.
    pub fn wake_id(&self, now: Timestamp) -> WakeId {
        WakeId::generate(now, &mut *self.rng())
    }

    /// A draw from `[0, 1)`.
    pub fn jitter(&self) -> f64 {
        self.rng().random()
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, impl Rng + use<>> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
