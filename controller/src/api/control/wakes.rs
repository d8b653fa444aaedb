//! Wakes: a list, one with its story, and calling one off.

use jiff::SignedDuration;
use reveille_proto::{InstanceId, WakeId};

use super::{Control, WakeAsked};
use crate::{
    api::{
        ControlError,
        view::{WakePage, WakeStoryView, WakeView, page_size, split_page},
    },
    store::WakeFilter,
    tasks::perform,
    throttle::Closed,
    wake::{End, Event, Reason, State, Wake},
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
        let view = |wake| self.with_place(WakeView::new(wake, outcomes.get(&wake.id)), wake);
        let items = rows.iter().map(view).collect();
        Ok(WakePage { items, next_page_token })
    }

    pub async fn wake(&self, id: WakeId) -> Result<WakeStoryView, ControlError> {
        let store = &self.shared.store;
        let wake = store.wake_get(id).await?;
        let wake = wake.ok_or_else(|| ControlError::NotFound(format!("there is no wake {id}")))?;
        let outcomes = store.outcomes_of(&[id]).await?;
        let transitions = store.transitions_of(id).await?;
        Ok(WakeStoryView {
            wake: self.with_place(WakeView::new(&wake, outcomes.get(&id)), &wake),
            transitions: transitions.into_iter().map(Into::into).collect(),
            late: store.late_results_of(id).await?.into_iter().map(Into::into).collect(),
        })
    }

    /// Where a queued wake stands on its host, and about when it will serve.
    ///
    /// Those before it start so many at once as the host's limit says now, and each takes as long as the lead time.
    pub(super) fn with_place(&self, view: WakeView, wake: &Wake) -> WakeView {
        // The board may not have heard yet that it is queued no more.
        if !matches!(wake.state, State::Queued { .. }) {
            return view;
        }
        if let Some(needed) = self.shared.needs_first(wake) {
            return WakeView { detail: Closed::Needs { instance: needed }.to_string(), ..view };
        }
        let board = self.shared.board.lock();
        let Some((position, host)) =
            board.position(wake.id).zip(board.get(wake.id).and_then(|q| q.host.clone()))
        else {
            return view;
        };
        drop(board);
        let policy = self.shared.policy();
        let limit =
            self.shared.fleet.live(&host).map_or(1, |live| live.gate.limit(&live.limits(&policy), true));
        let rounds = position as i64 / i64::from(limit.max(1)) + 1;
        let lead_s = i64::from(self.shared.config.model.lead_time_default_s);
        let expected = self.now().saturating_add(SignedDuration::from_secs(rounds * lead_s));
        WakeView {
            queue_position: Some(position as u32 + 1),
            expected_serving_at: expected.ok().map(|at| at.min(wake.expires_at)),
            ..view
        }
    }

    /// Ends a wake now, in whatever state it is, without waiting for its agent.
    pub async fn force_wake(&self, id: WakeId, by: &str) -> Result<WakeView, ControlError> {
        self.step_wake(id, Event::Force { by: by.to_owned(), at: self.now() }, by).await
    }

    /// Asks anew for the instance of a wake that did not come to its end well.
    pub async fn retry_wake(&self, id: WakeId, by: &str) -> Result<WakeAsked, ControlError> {
        let wake = self.shared.store.wake_get(id).await?;
        let wake = wake.ok_or_else(|| ControlError::NotFound(format!("there is no wake {id}")))?;
        match wake.state.ended() {
            None => Err(ControlError::Conflict(format!(
                "wake {id} is {}: there is nothing to retry yet",
                wake.state.name()
            ))),
            Some(End::Woken | End::AlreadyAwake) => {
                Err(ControlError::Conflict(format!("wake {id} ended well; ask for {} again", wake.instance)))
            }
            Some(_) => self.wake_instance(&wake.instance, by, Reason::Operator).await,
        }
    }

    /// A queued wake ends at once; of a running one the agent is asked to stop, and its word is waited for.
    pub async fn cancel_wake(&self, id: WakeId, by: &str) -> Result<WakeView, ControlError> {
        self.step_wake(id, Event::Cancel { by: by.to_owned(), at: self.now() }, by).await
    }

    async fn step_wake(&self, id: WakeId, event: Event, by: &str) -> Result<WakeView, ControlError> {
        let rule = self.shared.config.wake.retry_rule();
        let (wake, effects) = self.shared.store.wake_step(id, &event, &rule).await?;
        perform(&self.shared, &wake, &effects).await;
        tracing::info!(wake = %id, instance = %wake.instance, by, what = event.name(), "a person stepped in");
        Ok(WakeView::new(&wake, None))
    }
}
