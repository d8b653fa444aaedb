//! A wake, and its story.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Page;
use crate::{
    store::{LateResult, OutcomeRow, Transition},
    wake::{State, Wake},
};

/// One wake as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WakeView {
    pub wake_id: String,
    pub instance_id: String,
    /// The host that runs it or ran it last.
    pub host_id: Option<String>,
    /// `forecast`, `demand`, `operator` or `experiment`.
    pub reason: String,
    /// `queued`, `dispatched`, `calling`, `starting` or `ended`.
    pub state: String,
    /// How it ended: `woken`, `already_awake`, `refused`, `failed`, `timed_out`, `host_lost`, `cancelled`, `expired`.
    pub end: Option<String>,
    /// One line: why it stands where it stands.
    pub detail: String,
    /// What it was good for: `used`, `unused`, `missed` or `failed`; none while the window is open.
    pub verdict: Option<String>,
    pub attempt: u32,
    pub requested_by: String,
    pub plan_id: Option<i64>,
    /// Of an arrival, for a forecast.
    pub probability: Option<f64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub serve_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub called_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub serving_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Of a queued wake whose time has come: its place among those of its host, from 1.
    #[serde(default)]
    pub queue_position: Option<u32>,
    /// About when it will serve, by its place and the host's present limit.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expected_serving_at: Option<Timestamp>,
}

/// A page of wakes, newest first.
pub type WakePage = Page<WakeView>;

/// One move of a wake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TransitionView {
    pub seq: u32,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub event: String,
    /// Empty for the creation.
    pub from: String,
    pub to: String,
    /// Of the controller that made the move; 0 where none was involved.
    pub epoch: u64,
    pub detail: String,
}

/// What an agent said of a wake that was over by then; it changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LateResultView {
    pub attempt: u32,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `woken`, `already_awake`, `refused`, `failed`, `timed_out` or `cancelled`.
    pub outcome: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub serving_at: Option<Timestamp>,
    pub detail: String,
}

/// A wake with every move it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WakeStoryView {
    #[serde(flatten)]
    pub wake: WakeView,
    pub transitions: Vec<TransitionView>,
    /// Results that came after its end.
    #[serde(default)]
    pub late: Vec<LateResultView>,
}

/// What may be said when an instance is asked for. An empty body is a demand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WakeBody {
    /// `demand` (a person waits; the default), `operator` or `experiment`.
    pub reason: Option<String>,
}

impl WakeView {
    pub(crate) fn new(wake: &Wake, outcome: Option<&OutcomeRow>) -> Self {
        let ended_at = if let State::Ended { at, .. } = wake.state { Some(at) } else { None };
        Self {
            wake_id: wake.id.to_string(),
            instance_id: wake.instance.to_string(),
            host_id: wake.last_host.as_ref().map(ToString::to_string),
            reason: wake.reason.to_string(),
            state: wake.state.name().to_owned(),
            end: wake.state.ended().map(|end| end.to_string()),
            detail: wake.detail.clone(),
            verdict: outcome.map(|row| row.outcome.verdict.code().to_owned()),
            attempt: wake.last_attempt,
            requested_by: wake.requested_by.clone(),
            plan_id: wake.plan_id,
            probability: wake.probability,
            created_at: wake.created_at,
            due_at: wake.due_at,
            serve_at: wake.serve_at,
            expires_at: wake.expires_at,
            called_at: wake.called_at,
            serving_at: wake.serving_at,
            ended_at,
            queue_position: None,
            expected_serving_at: None,
        }
    }
}

impl From<LateResult> for LateResultView {
    fn from(late: LateResult) -> Self {
        let LateResult { attempt, at, outcome, serving_at, detail } = late;
        Self { attempt, at, outcome, serving_at, detail }
    }
}

impl From<Transition> for TransitionView {
    fn from(moved: Transition) -> Self {
        let Transition { wake: _, seq, at, event, from, to, epoch, detail } = moved;
        Self { seq, at, event, from, to, epoch, detail }
    }
}
