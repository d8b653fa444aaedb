//! Wakes that wait until what they need serves: what became of that, by the store.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use tracing::info;

use super::{Task, TaskError, perform};
use crate::{
    app::Shared,
    store::StoreError,
    wake::{End, Event, Wake},
};

/// Looks once a second, where instances need others and wait for them.
#[derive(Debug)]
pub struct Needs {
    shared: Shared,
}

impl Needs {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }

    /// Ends a wake whose need will not be met: the needed instance's own wake has ended without it.
    async fn give_up(&self, wake: &Wake, by: String) -> Result<(), StoreError> {
        let shared = &self.shared;
        let event = Event::Cancel { by, at: shared.clock.now() };
        match shared.store.wake_step(wake.id, &event, &shared.config.wake.retry_rule()).await {
            Ok((wake, effects)) => {
                perform(shared, &wake, &effects).await;
                if let Some(end) = wake.state.ended() {
                    shared.metrics.wake_ended(end);
                }
                info!(wake_id = %wake.id, instance_id = %wake.instance, detail = wake.detail, "wake given up");
                Ok(())
            }
            // Somebody else has ended it, or sent it after all.
            Err(StoreError::Wake(_) | StoreError::NoWake(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Task for Needs {
    const NAME: &'static str = "needs";

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let shared = &self.shared;
        let waiting = shared.store.wakes_queued_of(shared.needs.dependents()).await?;
        if waiting.is_empty() {
            return Ok(String::new());
        }
        let needed: BTreeSet<_> = waiting.iter().flat_map(|wake| shared.needs.of(&wake.instance)).collect();
        let ends = shared.store.last_ends_of(needed.into_iter()).await?;
        {
            let mut known = shared.needed.lock().unwrap_or_else(PoisonError::into_inner);
            for (instance, last) in &ends {
                if matches!(last.end, End::Woken | End::AlreadyAwake)
                    && known.insert(instance.clone(), last.at) != Some(last.at)
                {
                    shared.signals.dispatch.notify_one();
                }
            }
        }
        // One is enough to end what nobody can start.
        if !shared.lead.is_held(shared.clock.now()) {
            return Ok(String::new());
        }
        let mut given_up = 0;
        for wake in &waiting {
            let unmet = shared.needs.of(&wake.instance).iter().find_map(|needed| {
                let last = ends.get(needed).filter(|last| last.at >= wake.created_at)?;
                let is_well = matches!(last.end, End::Woken | End::AlreadyAwake);
                (!is_well && !shared.fleet.is_serving(needed)).then_some((needed, last))
            });
            let Some((needed, last)) = unmet else { continue };
            let by = format!("what it needs: the wake of {needed} ended as {} ({})", last.end, last.detail);
            self.give_up(wake, by).await?;
            given_up += 1;
        }
        Ok(if given_up > 0 { format!("{given_up} given up for what they need") } else { String::new() })
    }
}
