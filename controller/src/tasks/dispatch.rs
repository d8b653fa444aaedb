//! Takes the next wakes from the queue, asks the throttle for a permit each, sends the commands.
//!
//! Choosing needs no query: the queue and the permits are mirrored in memory ([`crate::queue::Board`],
//! [`crate::fleet::Registry`]). What was chosen is committed together, and sent when it is on disk.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{HostId, planted};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::{
    Task, TaskError,
    choice::{Choice, Chooser, Chosen},
    mirror::heard_of,
    perform,
    unsure::{Doubt, Unsure},
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
const BATCH_MAX: usize = 4000;

/// Commits under way at once. Also where writers take turns: one batch is made ready while another is written.
const UNDER_WAY_MAX: usize = 2;

/// Between two looks at the queue, at least.
const PAUSE: Duration = Duration::from_millis(1);

/// A host that could start nothing is asked again after this, changed or not.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Carries out the queue. It chooses nothing: order is the queue's, pace is the throttle's.
#[derive(Debug)]
pub struct Dispatch {
    shared: Shared,
    /// Hosts that could start nothing more: at which generation, with how many ready, and when.
    denied: BTreeMap<HostId, (u64, usize, Timestamp)>,
    /// By which they were.
    policy: Arc<Policy>,
    retries: RetryBudget,
    unsure: Unsure,
}

impl Dispatch {
    pub fn new(shared: Shared) -> Self {
        let policy = shared.policy();
        let (denied, retries, unsure) = (BTreeMap::new(), RetryBudget::default(), Unsure::default());
        Self { shared, denied, policy, retries, unsure }
    }

    /// The hosts that have a wake to be started and may start one for all that is known.
    fn hosts(&self) -> Vec<HostId> {
        let (now, board) = (self.shared.clock.now(), self.shared.board.lock());
        let may_start = |host: &&HostId| {
            let Some(generation) = self.shared.fleet.generation(host) else { return false };
            let denied = self.denied.get(*host);
            denied.is_none_or(|(before, count, at)| {
                !planted!("denied-host-never-asked-again")
                    && ((*before, *count) != (generation, board.ready_on(host))
                        || now.duration_since(*at) >= ASK_AGAIN)
            })
        };
        board.hosts().filter(may_start).cloned().collect()
    }

    /// Chooses and commits batch after batch until nothing more may start; one is chosen while another is committed.
    async fn drain(&mut self, commits: &mut Commits) -> Result<(), TaskError> {
        loop {
            if !self.shared.levers.are_known(self.shared.clock.now()) {
                // Somebody may have stopped everything.
                self.shared.metrics.gate_closed("levers_unread");
                return Ok(());
            }
            let policy = self.shared.policy();
            if !Arc::ptr_eq(&policy, &self.policy) {
                self.denied.clear();
                self.policy = policy.clone();
            }
            self.shared.board.lock().ripen(self.shared.clock.now());
            let hosts = self.hosts();
            let mut chooser = Chooser::new(&self.shared, &policy, &hosts, &mut self.retries)?;
            let is_over = loop {
                let Choice { chosen, ruled_out, is_full } =
                    chooser.batch(BATCH_MAX, &mut self.shared.board.lock());
                // First, so that no error leaves permits behind.
                commits.begin(&self.shared, chosen).await?;
                give_up(&self.shared, ruled_out).await?;
                if !is_full {
                    break true;
                }
                let is_same = Arc::ptr_eq(&policy, &self.shared.policy());
                if !is_same || !self.shared.levers.are_known(self.shared.clock.now()) {
                    break false;
                }
            };
            let now = self.shared.clock.now();
            for host in chooser.into_spent() {
                if let Some(generation) = self.shared.fleet.generation(&host) {
                    let ready = self.shared.board.lock().ready_on(&host);
                    self.denied.insert(host, (generation, ready, now));
                }
            }
            if is_over {
                return Ok(());
            }
        }
    }
}

/// Commits under way, each with the commands that follow it.
#[derive(Debug)]
struct Commits {
    under_way: JoinSet<Result<u32, StoreError>>,
    unsure: Unsure,
    sent: u32,
}

impl Commits {
    /// Commits what was chosen, beside what the caller does next, as soon as few enough others are under way.
    async fn begin(&mut self, shared: &Shared, chosen: Vec<Chosen>) -> Result<(), TaskError> {
        let mut made = Ok(());
        while self.under_way.len() >= UNDER_WAY_MAX {
            made = made.and(self.end_one().await);
        }
        if !chosen.is_empty() {
            let (shared, unsure) = (shared.clone(), self.unsure.clone());
            self.under_way.spawn(async move { commit(&shared, &unsure, chosen).await });
        }
        made
    }

    async fn end_one(&mut self) -> Result<(), TaskError> {
        if let Some(done) = self.under_way.join_next().await {
            self.sent += done??;
        }
        Ok(())
    }

    /// Waits for all of them. Returns how many wakes were sent.
    async fn end(mut self) -> Result<u32, TaskError> {
        let mut made = Ok(());
        while !self.under_way.is_empty() {
            made = made.and(self.end_one().await);
        }
        made.map(|()| self.sent)
    }
}

/// Commits what was chosen in one go, then sends it.
///
/// A move is lost where somebody else moved the wake first, or holds the host's session by now. Where the store
/// fails, nobody knows, and whoever comes next looks.
async fn commit(shared: &Shared, unsure: &Unsure, chosen: Vec<Chosen>) -> Result<u32, StoreError> {
    let rule = shared.config.wake.retry_rule();
    let (mut moves, mut effects, mut stepped) = (Vec::new(), Vec::new(), Vec::new());
    for one in chosen {
        match WakeMove::step(one.queued.wake.clone(), &one.event, &rule) {
            Ok((Some(moved), then)) => {
                moves.push(moved);
                effects.push(then);
                stepped.push(one);
            }
            Ok((None, _)) => take_back(shared, &one),
            Err(error) => {
                debug!(wake_id = %one.queued.wake.id, %error, "a wake was no longer queued as chosen");
                take_back(shared, &one);
            }
        }
    }
    let epochs = stepped.iter().map(|one| (one.host.clone(), one.epoch)).collect();
    let sessions = Sessions { controller: shared.controller.clone(), epochs };
    let moved = match shared.store.wakes_move(&moves, Some(&sessions)).await {
        Ok(moved) => moved,
        Err(error) => {
            if planted!("unanswered-commit-taken-for-none") {
                for one in &stepped {
                    take_back(shared, one);
                }
                return Err(error);
            }
            // Whatever it says: to look costs a query, and not to look a wake.
            let steps = stepped.into_iter().zip(&moves).zip(effects);
            unsure.put(steps.map(|((one, moved), effects)| Doubt {
                one,
                attempt: moved.after.last_attempt,
                effects,
            }));
            return Err(error);
        }
    };
    let mut sent = 0;
    for ((one, moved), effects) in stepped.iter().zip(moved).zip(&effects) {
        let Moved::Done(wake) = moved else {
            take_back(shared, one);
            continue;
        };
        let host = &one.host;
        shared.fleet.kept(host, wake.id, shared.clock.now());
        sent += 1;
        shared.metrics.dispatched();
        info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %host, reason = %wake.reason, "wake dispatched");
        perform(shared, &wake, effects).await;
    }
    Ok(sent)
}

/// Gives a permit back that was not used. The store knows better where the wake stands.
fn take_back(shared: &Shared, one: &Chosen) {
    let id = one.queued.wake.id;
    shared.fleet.ended(&one.host, id, Over::Other, shared.clock.now());
    shared.board.ask_for(id);
}

/// Wakes the policy has meanwhile ruled out.
async fn give_up(shared: &Shared, ruled_out: Vec<(Wake, &'static str)>) -> Result<(), StoreError> {
    for (wake, why) in ruled_out {
        let event = Event::Cancel { by: why.to_owned(), at: shared.clock.now() };
        let rule = shared.config.wake.retry_rule();
        match shared.store.wake_step(wake.id, &event, &rule).await {
            Ok((wake, effects)) => {
                perform(shared, &wake, &effects).await;
                shared.store.planned_forget(wake.id).await?;
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

impl Task for Dispatch {
    const NAME: &'static str = "dispatch";

    /// Until the next wake's time comes, or the interval is over.
    fn period(&self) -> Duration {
        let (now, interval) = (self.shared.clock.now(), self.shared.config.wake.dispatch_interval_ms);
        let interval = Duration::from_millis(interval.into());
        // Whose time has come waits on the board until it is known what may be started: that is not asked without a pause.
        if !self.shared.board.is_known() || !self.shared.levers.are_known(now) {
            return interval;
        }
        let next = self.shared.board.lock().next_due();
        let left = next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        left.map_or(interval, |left| left.max(PAUSE).min(interval))
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        if !self.shared.board.is_known() {
            // What runs is not known yet either; `mirror` signals when it is.
            return Ok(String::new());
        }
        let found = self.unsure.look(&self.shared, take_back).await?;
        heard_of(&self.shared).await?;
        let mut commits = Commits { under_way: JoinSet::new(), unsure: self.unsure.clone(), sent: found };
        let drained = self.drain(&mut commits).await;
        // What is under way is brought to its end whatever happened: a commit without its commands would be half a one.
        let sent = commits.end().await;
        drained?;
        let sent = sent?;
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
