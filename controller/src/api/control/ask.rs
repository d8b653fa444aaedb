//! Asking for an instance: a new wake, or joining the one under way.

use jiff::SignedDuration;
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Control;
use crate::{
    api::{ControlError, view::WakeView},
    store::NewWake,
    tasks::perform,
    wake::Reason,
};

/// What became of asking: the wake to follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WakeAsked {
    #[serde(flatten)]
    pub wake: WakeView,
    /// The instance's wake was under way already.
    pub joined: bool,
}

/// Advice to somebody who meets a full queue, in seconds.
const QUEUE_FULL_RETRY_AFTER_S: u32 = 30;

impl Control {
    /// Asks for an instance now, for `by`. Returns once the wake is on disk.
    pub async fn wake_instance(
        &self,
        instance: &InstanceId,
        by: &str,
        reason: Reason,
    ) -> Result<WakeAsked, ControlError> {
        if reason == Reason::Forecast {
            return Err(ControlError::invalid("reason", "cannot be forecast: those are made by plans"));
        }
        self.check_wakeable(instance).await?;
        // What it needs is woken with it, in order; it waits until they serve.
        for needed in self.shared.needs.all_of(instance) {
            if !self.shared.fleet.is_serving(&needed) {
                self.check_wakeable(&needed).await?;
                self.queue_wake(&needed, by, reason).await?;
            }
        }
        self.queue_wake(instance, by, reason).await
    }

    async fn queue_wake(
        &self,
        instance: &InstanceId,
        by: &str,
        reason: Reason,
    ) -> Result<WakeAsked, ControlError> {
        let now = self.now();
        let config = &self.shared.config.wake;
        let expiry = SignedDuration::from_secs(config.demand_expiry_s.into());
        let new = NewWake {
            id: self.shared.wake_id(now),
            instance: instance.clone(),
            reason,
            requested_by: by.to_owned(),
            plan_id: None,
            probability: None,
            created_at: now,
            due_at: now,
            serve_at: None,
            expires_at: now.saturating_add(expiry).unwrap_or(now),
        };
        let (wake, effects, created) = self.shared.store.wake_request(&new, &config.retry_rule()).await?;
        perform(&self.shared, &wake, &effects).await;
        self.shared.signals.dispatch.notify_one();
        tracing::info!(wake = %wake.id, %instance, by, %reason, joined = !created, "an instance was asked for");
        Ok(WakeAsked { wake: self.with_place(WakeView::new(&wake, None), &wake), joined: !created })
    }

    async fn check_wakeable(&self, instance: &InstanceId) -> Result<(), ControlError> {
        let store = &self.shared.store;
        let row = store.instance_get(instance).await?.ok_or_else(|| {
            let advice = "list it in the configuration of the agent on its host";
            ControlError::NotFound(format!("there is no instance {instance}; {advice}"))
        })?;
        if row.host.is_none() {
            let advice = "list it in the configuration of the agent on its host";
            return Err(ControlError::Conflict(format!(
                "no agent lists {instance}, so nobody can wake it; {advice}"
            )));
        }
        let max = self.shared.config.wake.queue_depth_max;
        // Joining adds nothing to the queue.
        if store.wakes_open_count().await? >= u64::from(max) && !store.wake_is_open(instance).await? {
            let problem = format!("the queue is full: {max} wakes are open");
            return Err(ControlError::Unavailable { problem, retry_after_s: QUEUE_FULL_RETRY_AFTER_S });
        }
        Ok(())
    }
}
