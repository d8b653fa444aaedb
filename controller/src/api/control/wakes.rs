//! Wakes: a list, one with its story, and calling one off.

use reveille_proto::{InstanceId, WakeId};

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{WakePage, WakeStoryView, WakeView, page_size, split_page},
    },
    store::WakeFilter,
    tasks::perform,
    wake::{Event, Reason},
};

/// Which wakes, and how many.
#[derive(Debug, Clone, Default)]
pub struct WakesQuery {
    /// Name of a state; none is all.
    pub state: Option<String>,
    pub instance: Option<InstanceId>,
    pub reason: Option<Reason>,
    /// 0 is the default.
    pub page_size: u32,
    pub after: Option<WakeId>,
}

const STATES: [&str; 5] = ["queued", "dispatched", "calling", "starting", "ended"];

impl Control {
    /// Newest first.
    pub async fn wakes(&self, query: WakesQuery) -> Result<WakePage, ControlError> {
        if let Some(state) = query.state.as_deref().filter(|state| !STATES.contains(state)) {
            let problem = format!("is {state:?}, none of {}", STATES.join(", "));
            return Err(ControlError::invalid("state", problem));
        }
        let size = page_size(query.page_size)?;
        let filter = WakeFilter {
            state: query.state,
            instance: query.instance,
            reason: query.reason,
            before: query.after,
            limit: size + 1,
            ..WakeFilter::default()
        };
        let rows = self.shared.store.wakes_list(&filter).await?;
        let (rows, next_page_token) = split_page(rows, size, |wake| wake.id.to_string());
        let ids: Vec<WakeId> = rows.iter().map(|wake| wake.id).collect();
        let outcomes = self.shared.store.outcomes_of(&ids).await?;
        let items = rows.iter().map(|wake| WakeView::new(wake, outcomes.get(&wake.id))).collect();
        Ok(WakePage { items, next_page_token })
    }

    pub async fn wake(&self, id: WakeId) -> Result<WakeStoryView, ControlError> {
        let store = &self.shared.store;
        let wake = store.wake_get(id).await?;
        let wake = wake.ok_or_else(|| ControlError::NotFound(format!("there is no wake {id}")))?;
        let outcomes = store.outcomes_of(&[id]).await?;
        let transitions = store.transitions_of(id).await?;
        Ok(WakeStoryView {
            wake: WakeView::new(&wake, outcomes.get(&id)),
            transitions: transitions.into_iter().map(Into::into).collect(),
        })
    }

    /// A queued wake ends at once; of a running one the agent is asked to stop, and its word is waited for.
    pub async fn cancel_wake(&self, id: WakeId, by: &str) -> Result<WakeView, ControlError> {
        let event = Event::Cancel { by: by.to_owned(), at: self.now() };
        let rule = self.shared.config.wake.retry_rule();
        let (wake, effects) = self.shared.store.wake_step(id, &event, &rule).await?;
        perform(&self.shared, &wake, &effects).await;
        tracing::info!(wake = %id, instance = %wake.instance, by, "a cancel was asked for");
        Ok(WakeView::new(&wake, None))
    }
}
