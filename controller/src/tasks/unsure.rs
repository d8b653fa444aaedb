//! Commits that ended without a word: whether wakes were moved is looked up, as their commands follow only from what is on disk.
//! Until then each keeps its permit, so that nothing else is started in its place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use reveille_proto::WakeId;
use tracing::{info, warn};

use super::{choice::Chosen, perform};
use crate::{
    app::Shared,
    store::StoreError,
    wake::{Effect, State, Wake},
};

/// Of the dispatcher and its commits. Cheap to clone; every clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsure(Arc<Mutex<Vec<Doubt>>>);

/// A wake that may have been sent to its host by the store's word, and was not.
#[derive(Debug)]
pub(super) struct Doubt {
    pub(super) one: Chosen,
    /// The one that would have begun.
    pub(super) attempt: u32,
    pub(super) effects: Vec<Effect>,
}

impl Unsure {
    /// Nobody knows what became of them.
    pub(super) fn put(&self, all: impl IntoIterator<Item = Doubt>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
    }

    /// Looks at all of them: what was moved is carried out, what was not is given to `take_back`. Returns how many wakes were
    /// sent.
    ///
    /// # Errors
    /// When the store still says nothing; then nobody is any wiser.
    pub(super) async fn look(
        &self,
        shared: &Shared,
        take_back: impl Fn(&Shared, &Chosen),
    ) -> Result<u32, StoreError> {
        let doubts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if doubts.is_empty() {
            return Ok(0);
        }
        let ids: Vec<WakeId> = doubts.iter().map(|doubt| doubt.one.queued.wake.id).collect();
        let wakes = match shared.store.wakes_settled(&ids).await {
            Ok(wakes) => wakes,
            Err(error) => {
                self.put(doubts);
                return Err(error);
            }
        };
        let wakes: BTreeMap<WakeId, Wake> = wakes.into_iter().map(|wake| (wake.id, wake)).collect();
        warn!(
            wakes = doubts.len(),
            "the database gave no answer to a commit: what it says of these wakes holds"
        );
        let mut sent = 0;
        for Doubt { one, attempt, effects } in &doubts {
            let wake = wakes.get(&one.queued.wake.id);
            let run = wake.and_then(|wake| wake.state.run()).filter(|run| run.host == one.host);
            let (Some(wake), Some(run)) = (wake, run) else {
                take_back(shared, one);
                continue;
            };
            shared.fleet.kept(&one.host, wake.id, shared.clock.now());
            let is_untold = matches!(wake.state, State::Dispatched { .. });
            if !is_untold || run.epoch != one.epoch || run.attempt != *attempt {
                // Somebody has gone on with it: the permit is in use, and its command is with the agent.
                continue;
            }
            let mut effects = effects.clone();
            if run.cancel_requested {
                // The agent had nothing to call off when that was asked for.
                effects.push(Effect::SendCancel);
            }
            sent += 1;
            shared.metrics.dispatched();
            info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %one.host, reason = %wake.reason, "wake dispatched");
            perform(shared, wake, &effects).await;
        }
        Ok(sent)
    }
}
