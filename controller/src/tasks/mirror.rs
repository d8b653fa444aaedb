//! Sets the mirrors of queue, permits and sessions right by the store: at the start, and now and then.
//!
//! It reads everything, so it runs beside the dispatcher. What the dispatcher or an agent moved meanwhile is read as it was:
//! a wake that stands on the board but has its permit is passed over there, and a permit that was given back since the
//! reading began is not brought back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId};
use tokio::task;
use tracing::warn;

use super::{Task, TaskError};
use crate::{
    app::Shared,
    fleet::Permitted,
    store::StoreError,
    wake::{Priority, Wake},
};

/// How long what is in memory may differ from the store before it is set right.
const MIRROR_EVERY: Duration = Duration::from_secs(30);
/// When nothing could be read yet.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Rows read at once.
const PAGE: u32 = 5000;

/// Permits in use, by host.
type Permits = BTreeMap<HostId, BTreeMap<WakeId, Permitted>>;

/// The loop.
#[derive(Debug)]
pub struct Mirror {
    shared: Shared,
    is_behind: bool,
}

impl Mirror {
    pub fn new(shared: Shared) -> Self {
        Self { shared, is_behind: true }
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
        for id in before.difference(&seen) {
            // Gone, or tried and put back while the pages were read: that row is looked at by itself.
            if self.shared.board.lock().remove(*id).is_some() {
                self.shared.board.ask_for(*id);
            }
        }
        Ok(())
    }

    async fn permits(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut stored = Permits::new();
        self.shared.store.wakes_running_each(&mut |wake| add(&mut stored, &wake)).await?;
        let none = BTreeMap::new();
        for (host, _) in self.shared.fleet.all() {
            self.shared.fleet.reconcile(&host, stored.get(&host).unwrap_or(&none), now);
            task::consume_budget().await;
        }
        Ok(())
    }
}

/// Ends the sessions that are not those of the store: somebody has taken the host over and is not there, and what is sent here
/// would be refused for ever.
async fn sessions(shared: &Shared) -> Result<(), StoreError> {
    // First, as a session stands in the store before it does here.
    let here = shared.fleet.sessions();
    let stored: BTreeMap<HostId, u64> =
        shared.store.hosts_of(&shared.controller).await?.into_iter().collect();
    for (host, epoch) in here {
        if stored.get(&host) != Some(&epoch) && shared.fleet.fenced(&host, |now| now == epoch) {
            warn!(host_id = %host, epoch, "a session is ended that is not the one of the store");
        }
    }
    Ok(())
}

impl Task for Mirror {
    const NAME: &'static str = "mirror";

    fn period(&self) -> Duration {
        if self.is_behind { TRY_AGAIN } else { MIRROR_EVERY }
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        self.is_behind = true;
        let now = self.shared.clock.now();
        self.queue(now).await?;
        self.permits(now).await?;
        sessions(&self.shared).await?;
        self.is_behind = false;
        self.shared.board.read_whole();
        self.shared.signals.dispatch.notify_one();
        Ok(String::new())
    }
}

/// Reads the wakes somebody made or moved of which the board knows nothing yet.
pub(super) async fn heard_of(shared: &Shared) -> Result<(), StoreError> {
    let left: Vec<WakeId> = shared.board.take_unknown().into_iter().collect();
    for some in left.chunks(PAGE as usize) {
        let read = shared.store.queue_entries(some).await;
        let queued = read.inspect_err(|_| left.iter().for_each(|id| shared.board.ask_for(*id)))?;
        let (mut board, now) = (shared.board.lock(), shared.clock.now());
        for queued in queued {
            board.put(queued, now);
        }
    }
    Ok(())
}

/// The permits in use by the store.
pub(super) fn by_host<'a>(wakes: impl IntoIterator<Item = &'a Wake>) -> Permits {
    let mut permits = Permits::new();
    for wake in wakes {
        add(&mut permits, wake);
    }
    permits
}

fn add(permits: &mut Permits, wake: &Wake) {
    let Some(run) = wake.state.run() else { return };
    // The cohort is not in the row: a forecast is nobody's account until the next one is granted.
    let owner = if wake.priority == Priority::Forecast { "" } else { &wake.requested_by };
    let permitted =
        Permitted { instance: wake.instance.clone(), since: run.dispatched_at, owner: owner.to_owned() };
    permits.entry(run.host.clone()).or_default().insert(wake.id, permitted);
}
