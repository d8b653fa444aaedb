//! A row of table `wakes` as a [`Wake`].

use sqlx::FromRow;

use super::{StoreError, row::Place};
use crate::wake::{Priority, Wake};

/// The columns of [`Row`].
pub(super) const COLUMNS: &str = "wakes.wake_id, wakes.instance_id, wakes.reason, wakes.priority, wakes.requested_by, \
     wakes.plan_id, wakes.probability, wakes.created_at, wakes.due_at, wakes.serve_at, wakes.expires_at, wakes.state_data, \
     wakes.host_id, wakes.attempt, wakes.dispatched_at, wakes.called_at, wakes.serving_at, wakes.detail, wakes.moves";

#[derive(FromRow)]
pub(super) struct Row {
    pub(super) wake_id: String,
    instance_id: String,
    reason: String,
    priority: i64,
    requested_by: String,
    plan_id: Option<i64>,
    probability: Option<f64>,
    created_at: i64,
    due_at: i64,
    serve_at: Option<i64>,
    expires_at: i64,
    state_data: String,
    host_id: Option<String>,
    attempt: i64,
    dispatched_at: Option<i64>,
    called_at: Option<i64>,
    serving_at: Option<i64>,
    detail: String,
    moves: i64,
}

impl Row {
    pub(super) fn into_wake(self) -> Result<Wake, StoreError> {
        let at = Place { table: "wakes", row: &self.wake_id };
        Ok(Wake {
            id: at.parse("wake_id", &self.wake_id)?,
            instance: at.parse("instance_id", &self.instance_id)?,
            reason: at.parse("reason", &self.reason)?,
            priority: Priority::from_rank(self.priority)
                .ok_or_else(|| at.bad(format!("priority {} is unknown", self.priority)))?,
            requested_by: self.requested_by.clone(),
            plan_id: self.plan_id,
            probability: self.probability,
            created_at: at.time("created_at", self.created_at)?,
            due_at: at.time("due_at", self.due_at)?,
            serve_at: at.time_opt("serve_at", self.serve_at)?,
            expires_at: at.time("expires_at", self.expires_at)?,
            state: at.json("state_data", &self.state_data)?,
            called_at: at.time_opt("called_at", self.called_at)?,
            serving_at: at.time_opt("serving_at", self.serving_at)?,
            detail: self.detail.clone(),
            last_host: at.parse_opt("host_id", self.host_id.as_deref())?,
            last_attempt: self.attempt as u32,
            dispatched_at: at.time_opt("dispatched_at", self.dispatched_at)?,
            moves: self.moves as u64,
        })
    }
}

/// Wakes of the rows that can be read: one bad row is said and does not keep all others from being carried out.
pub(super) fn readable(rows: Vec<Row>) -> Vec<Wake> {
    rows.into_iter().filter_map(readable_one).collect()
}

pub(super) fn readable_one(row: Row) -> Option<Wake> {
    row.into_wake().inspect_err(|error| tracing::error!(%error, "a wake was left out")).ok()
}
