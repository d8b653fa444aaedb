//! Takes the next wakes from the queue, asks the throttle for a permit each, sends the commands.
//!
//! Choosing needs no query: the queue and the permits are mirrored in memory ([`crate::queue::Board`],
//! [`crate::fleet::Registry`]). What was chosen is committed together, and sent when it is on disk.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::HostId;
use tracing::{debug, info, warn};

use super::{
    Task, TaskError,
    choice::{Choice, Chooser, Chosen},
    perform,
    reconcile::Reconcile,
};
use crate::{
    app::Shared,
    fleet::{LiveHost, Over},
    policy::Policy,
    queue::RetryBudget,
    store::{Moved, Sessions, StoreError, WakeMove},
    wake::{Event, Wake},
};

/// Wakes committed together.
const BATCH_MAX: usize = 2000;

/// A host that could start nothing is asked again after this, changed or not.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Carries out the queue. It chooses nothing: order is the queue's, pace is the throttle's.
#[derive(Debug)]
pub struct Dispatch {
    shared: Shared,
    reconcile: Reconcile,
    /// Hosts that could start nothing more: at which generation, with how many ready, and when.
    denied: BTreeMap<HostId, (u64, usize, Timestamp)>,
    /// By which they were.
    policy: Arc<Policy>,
    retries: RetryBudget,
}

impl Dispatch {
    pub fn new(shared: Shared) -> Self {
        let (reconcile, policy) = (Reconcile::new(shared.clone()), shared.policy());
        Self { shared, reconcile, denied: BTreeMap::new(), policy, retries: RetryBudget::default() }
    }

    /// Chooses up to a batch of wakes; their permits count already.
    fn choose(&mut self) -> Result<Choice, TaskError> {
        let now = self.shared.clock.now();
        let policy = self.shared.policy();
        if !Arc::ptr_eq(&policy, &self.policy) {
            self.denied.clear();
            self.policy = policy.clone();
        }
        let mut chooser = Chooser::new(&self.shared, &policy, now, BATCH_MAX, &mut self.retries)?;
        let mut board = self.shared.board.lock();
        board.ripen(now);
        let hosts: Vec<HostId> = board.hosts().cloned().collect();
        for host in hosts {
            let Some(generation) = self.shared.fleet.generation(&host) else { continue };
            let ready = board.ready_on(&host);
            let is_unchanged = self.denied.get(&host).is_some_and(|(before, count, at)| {
                (*before, *count) == (generation, ready) && now.duration_since(*at) < ASK_AGAIN
            });
            if is_unchanged {
                continue;
            }
            chooser.host(&host, &mut board);
            self.denied.insert(host.clone(), (generation, board.ready_on(&host), now));
            if chooser.is_full() {
                self.denied.remove(&host);
                break;
            }
        }
        Ok(chooser.done())
    }

    /// Commits what was chosen in one go, then sends it.
    ///
    /// A move is lost where somebody else moved the wake first, or holds the host's session by now.
    async fn commit(&self, chosen: Vec<Chosen>) -> Result<u32, StoreError> {
        let rule = self.shared.config.wake.retry_rule();
        let (mut moves, mut effects, mut stepped) = (Vec::new(), Vec::new(), Vec::new());
        for one in chosen {
            match WakeMove::step(one.queued.wake.clone(), &one.event, &rule) {
                Ok((Some(moved), then)) => {
                    moves.push(moved);
                    effects.push(then);
                    stepped.push(one);
                }
                Ok((None, _)) => self.take_back(&one),
                Err(error) => {
                    debug!(wake_id = %one.queued.wake.id, %error, "a wake was no longer queued as chosen");
                    self.take_back(&one);
                }
            }
        }
        let epochs = stepped.iter().map(|one| (one.host.clone(), one.epoch)).collect();
        let sessions = Sessions { controller: self.shared.controller.clone(), epochs };
        let moved = self.shared.store.wakes_move(&moves, Some(&sessions)).await;
        let moved = moved.inspect_err(|_| stepped.iter().for_each(|one| self.take_back(one)))?;
        let mut sent = 0;
        for ((one, moved), effects) in stepped.iter().zip(moved).zip(&effects) {
            let Moved::Done(wake) = moved else {
                self.take_back(one);
                continue;
            };
            sent += 1;
            self.shared.metrics.dispatched();
            let host = &one.host;
            info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %host, reason = %wake.reason, "wake dispatched");
            perform(&self.shared, &wake, effects).await;
        }
        Ok(sent)
    }

    /// Gives a permit back that was not used. The store knows better where the wake stands.
    fn take_back(&self, one: &Chosen) {
        let id = one.queued.wake.id;
        self.shared.fleet.ended(&one.host, id, Over::Other, self.shared.clock.now());
        self.shared.board.ask_for(id);
    }

    /// Wakes the policy has meanwhile ruled out.
    async fn give_up(&self, ruled_out: Vec<(Wake, &'static str)>) -> Result<(), StoreError> {
        for (wake, why) in ruled_out {
            let event = Event::Cancel { by: why.to_owned(), at: self.shared.clock.now() };
            let rule = self.shared.config.wake.retry_rule();
            match self.shared.store.wake_step(wake.id, &event, &rule).await {
                Ok((wake, effects)) => {
                    perform(&self.shared, &wake, &effects).await;
                    info!(wake_id = %wake.id, instance_id = %wake.instance, why, "wake taken back");
                }
                Err(error @ (StoreError::NoWake(_) | StoreError::Wake(_) | StoreError::BadRow { .. })) => {
                    warn!(wake_id = %wake.id, %error, "a wake could not be taken back");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Task for Dispatch {
    const NAME: &'static str = "dispatch";

    /// Until the next wake's time comes, or the interval is over.
    fn period(&self) -> Duration {
        let interval = Duration::from_millis(self.shared.config.wake.dispatch_interval_ms.into());
        let next = self.shared.board.lock().next_due();
        let until = next.map(|at| at.duration_since(self.shared.clock.now()));
        until.map_or(interval, |left| Duration::try_from(left).unwrap_or_default().min(interval))
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        self.reconcile.run().await?;
        if !self.shared.levers.are_known(self.shared.clock.now()) {
            // Somebody may have stopped everything.
            self.shared.metrics.gate_closed("levers_unread");
            return Ok(String::new());
        }
        let mut sent = 0;
        loop {
            let Choice { chosen, ruled_out, is_full } = self.choose()?;
            self.give_up(ruled_out).await?;
            sent += self.commit(chosen).await?;
            if !is_full {
                break;
            }
        }
        Ok(if sent > 0 { format!("{sent} wakes sent") } else { String::new() })
    }
}

/// What the command of a wake on `host` is, as the move that sends it.
pub(super) fn dispatched(shared: &Shared, host: &HostId, live: &LiveHost, grant: String) -> Event {
    let now = shared.clock.now();
    let timeout = SignedDuration::from_secs(shared.config.wake.timeout_s.into());
    Event::Dispatch {
        host: host.clone(),
        epoch: live.epoch,
        journal_id: live.journal_id.clone(),
        at: now,
        deadline_at: now.saturating_add(timeout).unwrap_or(now),
        grant,
    }
}
