//! Sets the mirrors of queue and permits right by the store: at the start, for what was only heard of, and now and then.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId};

use super::choice::MIRROR_EVERY;
use crate::{
    app::Shared,
    fleet::Permitted,
    store::StoreError,
    wake::{Priority, Wake},
};

/// Queued wakes read at once.
const PAGE: u32 = 5000;

/// More wakes that were only heard of are read with all others.
const ONE_BY_ONE_MAX: usize = 50;

/// When the mirrors were last set right.
#[derive(Debug)]
pub(super) struct Reconcile {
    shared: Shared,
    done_at: Option<Timestamp>,
}

impl Reconcile {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared, done_at: None }
    }

    pub(super) async fn run(&mut self) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        if self.done_at.is_none_or(|at| now.duration_since(at) >= MIRROR_EVERY) {
            self.queue(now).await?;
            self.permits(now).await?;
            self.done_at = Some(now);
        }
        self.heard_of(now).await
    }

    /// Wakes somebody made or moved, of which the board knows nothing yet.
    async fn heard_of(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut left = self.shared.board.take_unknown();
        if left.len() > ONE_BY_ONE_MAX {
            return self
                .queue(now)
                .await
                .inspect_err(|_| left.iter().for_each(|id| self.shared.board.ask_for(*id)));
        }
        while let Some(id) = left.pop_first() {
            match self.shared.store.queue_entry(id).await {
                Ok(Some(queued)) => self.shared.board.lock().put(queued, now),
                Ok(None) => {}
                Err(error) => {
                    left.insert(id);
                    for id in left {
                        self.shared.board.ask_for(id);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Every queued row, page by page; what is not queued there is none here.
    async fn queue(&self, now: Timestamp) -> Result<(), StoreError> {
        let before: BTreeSet<WakeId> = self.shared.board.lock().ids().collect();
        let (mut after, mut seen) = (None, BTreeSet::new());
        loop {
            let page = self.shared.store.queue_page(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.wake.id);
            let mut board = self.shared.board.lock();
            for queued in page {
                seen.insert(queued.wake.id);
                if board.get(queued.wake.id) != Some(&queued) {
                    board.put(queued, now);
                }
            }
        }
        let mut board = self.shared.board.lock();
        before.difference(&seen).for_each(|id| drop(board.remove(*id)));
        Ok(())
    }

    async fn permits(&self, now: Timestamp) -> Result<(), StoreError> {
        let stored = by_host(&self.shared.store.wakes_running().await?);
        let none = BTreeMap::new();
        for (host, _) in self.shared.fleet.all() {
            self.shared.fleet.reconcile(&host, stored.get(&host).unwrap_or(&none), now);
        }
        Ok(())
    }
}

/// The permits in use by the store.
pub(super) fn by_host(wakes: &[Wake]) -> BTreeMap<HostId, BTreeMap<WakeId, Permitted>> {
    let mut hosts: BTreeMap<HostId, BTreeMap<WakeId, Permitted>> = BTreeMap::new();
    for wake in wakes {
        let Some(run) = wake.state.run() else { continue };
        // The cohort is not in the row: a forecast is nobody's account until the next one is granted.
        let owner = if wake.priority == Priority::Forecast { "" } else { &wake.requested_by };
        let permitted =
            Permitted { instance: wake.instance.clone(), since: run.dispatched_at, owner: owner.to_owned() };
        hosts.entry(run.host.clone()).or_default().insert(wake.id, permitted);
    }
    hosts
}
