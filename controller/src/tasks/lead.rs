//! Where several controllers share a database: who leads, what the others changed, that this one is there.
//!
//! One controller at a time reads logs, learns, plans and judges: the one that holds the lease `lead`. Everyone dispatches
//! to the hosts whose sessions it has. Once a second the lease is renewed or contended for, the policy is read, and wakes
//! that others put in the queue, or called off, are noticed. A policy that could not be read for five seconds closes all gates: a lever
//! somebody pulled meanwhile would not be seen.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::WakeId;
use tracing::{info, warn};

use super::{Task, TaskError, perform};
use crate::{
    app::Shared,
    lease::{Contender, Look, Seen},
    store::{Fence, StoreError, ToldMove},
    wake::Effect,
};

/// The lease of the controller that leads.
pub const LEASE: &str = "lead";
/// A lease that was not renewed for so long is taken by another. Twice as long is the longest failover.
pub const LEASE_TTL: SignedDuration = SignedDuration::from_secs(4);
/// No question to the database is waited for longer, in real time: a hanging one must not hide that time goes by.
const PATIENCE: Duration = Duration::from_secs(2);
/// A controller that was not there for so long is no other one to go to.
const OTHERS_AGE_MAX: SignedDuration = SignedDuration::from_secs(10);
/// How far back moves of other controllers are looked for; their clocks may differ by as much.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(10);

/// The loop.
#[derive(Debug)]
pub struct Lead {
    shared: Shared,
    contender: Contender,
    held: Option<u64>,
    /// Moves of the last while that have been looked at: wakes, and numbers of their moves.
    noticed: BTreeSet<(WakeId, u32)>,
}

impl Lead {
    pub fn new(shared: Shared) -> Self {
        Self { shared, contender: Contender::default(), held: None, noticed: BTreeSet::new() }
    }

    async fn lease(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (store, me) = (&self.shared.store, &self.shared.controller);
        if let Some(epoch) = self.held {
            if store.lease_renew(LEASE, me, epoch).await? {
                self.shared.lead.renewed(Fence { lease: LEASE.into(), epoch }, now);
                return Ok(());
            }
            warn!(epoch, "another controller leads now");
            self.held = None;
            self.shared.lead.lost();
        }
        let seen = store.lease_read(LEASE).await?;
        let seen =
            seen.map(|lease| Seen { epoch: lease.epoch, beat: lease.beat, free: lease.holder.is_empty() });
        let Look::Take(seen) = self.contender.look(seen, now, LEASE_TTL) else { return Ok(()) };
        if let Some(epoch) = store.lease_take(LEASE, me, seen).await? {
            info!(epoch, "this controller leads");
            self.held = Some(epoch);
            self.shared.lead.renewed(Fence { lease: LEASE.into(), epoch }, now);
            self.shared.signals.learn.notify_one();
            self.shared.signals.plan.notify_one();
            self.shared.signals.settle.notify_one();
        }
        Ok(())
    }

    async fn look_around(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.shared.policy_refresh().await?;
        let others = self.shared.store.controllers_seen_since(now - OTHERS_AGE_MAX).await?;
        self.shared.levers.read(now, others.iter().any(|other| *other != self.shared.controller));
        let told = self.shared.store.moves_told_since(now - LOOK_BACK).await?;
        let mut noticed = BTreeSet::new();
        for one in told {
            let is_new = !self.noticed.contains(&(one.wake, one.seq));
            if is_new && !one.is_queued {
                self.called_off(one).await?;
            } else if is_new && self.shared.board.lock().get(one.wake).is_none() {
                self.shared.board.ask_for(one.wake);
                self.shared.signals.dispatch.notify_one();
            }
            noticed.insert((one.wake, one.seq));
        }
        self.noticed = noticed;
        self.shared.store.controller_seen(&self.shared.controller, now).await
    }
}

impl Lead {
    /// Somebody called a wake off, perhaps through another controller: whoever holds its host's session tells the agent.
    /// Twice is harmless.
    async fn called_off(&self, one: ToldMove) -> Result<(), StoreError> {
        if one.was_queued {
            // A policy calls off thousands at once: none of them is read again.
            self.shared.board.lock().remove(one.wake);
            return Ok(());
        }
        let Some(wake) = self.shared.store.wake_get(one.wake).await? else { return Ok(()) };
        let is_called_off = wake.state.run().is_none_or(|run| run.cancel_requested);
        let host = wake.state.run().map(|run| &run.host).or(wake.last_host.as_ref());
        if is_called_off && host.is_some_and(|host| self.shared.fleet.is_running(host, wake.id)) {
            perform(&self.shared, &wake, &[Effect::SendCancel]).await;
        }
        Ok(())
    }
}

impl Task for Lead {
    const NAME: &'static str = "lead";

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let now = self.shared.clock.now();
        let leased = tokio::time::timeout(PATIENCE, self.lease(now)).await;
        leased.map_err(|_| TaskError::Slow { what: "the lease" })??;
        let looked = tokio::time::timeout(PATIENCE, self.look_around(now)).await;
        looked.map_err(|_| TaskError::Slow { what: "the policy" })??;
        Ok(String::new())
    }
}
