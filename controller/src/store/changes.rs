//! Table `wakes`: the statements that change many rows, each compared with what it was made from.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{
    Backend, StoreError, Tx,
    error::During,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT, plain},
};
use crate::wake::{Priority, State, Wake};

/// What of a wake before a move decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    moves: u64,
    priority: Priority,
    due_at: Timestamp,
    expires_at: Timestamp,
}

impl Standing {
    pub(super) fn of(wake: &Wake) -> Self {
        let Wake { moves, priority, due_at, expires_at, .. } = *wake;
        Self { moves, priority, due_at, expires_at }
    }
}

/// The columns that repeat what the state carries, so that the queue can be searched.
pub(super) struct StateColumns {
    pub(super) not_before: Option<i64>,
    deadline_at: Option<i64>,
    ended_at: Option<i64>,
    end: Option<&'static str>,
    pub(super) data: String,
}

impl StateColumns {
    pub(super) fn of(state: &State) -> Self {
        let not_before =
            if let State::Queued { not_before, .. } = state { Some(ms(*not_before)) } else { None };
        let ended = if let State::Ended { end, at } = state { Some((*end, *at)) } else { None };
        Self {
            not_before,
            deadline_at: state.run().map(|run| ms(run.deadline_at)),
            ended_at: ended.map(|(_, at)| ms(at)),
            end: ended.map(|(end, _)| end.as_str()),
            data: serde_json::to_string(state).expect("a state has only string keys"),
        }
    }
}

/// A row as it is to be. What is none is not said.
#[derive(Serialize)]
pub(super) struct ChangedRow<'a> {
    /// Neither ended nor moved in the queue: [`GOING_ON`] is all that changed.
    #[serde(skip)]
    goes_on: bool,
    wake_id: WakeId,
    moves_before: u64,
    /// 1 where nothing is said.
    #[serde(skip_serializing_if = "is_one")]
    steps: u64,
    priority: i64,
    due_at: i64,
    expires_at: i64,
    /// `None` where all rows of the statement have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    state_data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_id: Option<&'a HostId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_at: Option<i64>,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serving_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'static str>,
    detail: String,
}

impl<'a> ChangedRow<'a> {
    /// What stood as `before` is `wake` after so many steps.
    pub(super) fn of(wake: &'a Wake, before: &Standing, steps: u64) -> Self {
        let columns = StateColumns::of(&wake.state);
        let moves_before = before.moves;
        Self {
            goes_on: Standing { moves: moves_before, ..Standing::of(wake) } == *before
                && columns.end.is_none(),
            wake_id: wake.id,
            moves_before,
            steps,
            priority: wake.priority as i64,
            due_at: ms(wake.due_at),
            expires_at: ms(wake.expires_at),
            state: Some(wake.state.name()),
            state_data: columns.data,
            host_id: wake.last_host.as_ref(),
            not_before: columns.not_before,
            deadline_at: columns.deadline_at,
            attempt: wake.last_attempt,
            dispatched_at: wake.dispatched_at.map(ms),
            called_at: wake.called_at.map(ms),
            serving_at: wake.serving_at.map(ms),
            ended_at: columns.ended_at,
            end_reason: columns.end,
            detail: plain(&wake.detail),
        }
    }

    /// Whether it has nothing in a column.
    fn has_no(&self, column: &str) -> bool {
        match column {
            "host_id" => self.host_id.is_none(),
            "not_before" => self.not_before.is_none(),
            "deadline_at" => self.deadline_at.is_none(),
            "dispatched_at" => self.dispatched_at.is_none(),
            "called_at" => self.called_at.is_none(),
            "serving_at" => self.serving_at.is_none(),
            "ended_at" => self.ended_at.is_none(),
            "end_reason" => self.end_reason.is_none(),
            _ => false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_one(steps: &u64) -> bool {
    *steps == 1
}

/// The columns that change when a wake goes on, besides its state and its moves. But for the host of those that run, none of
/// them is in an index: most moves are of this kind, and every index a move touches is as much work again.
const GOING_ON: [(&str, Kind); 9] = [
    ("state_data", Kind::Text),
    ("host_id", Kind::Text),
    ("not_before", Kind::Int),
    ("deadline_at", Kind::Int),
    ("attempt", Kind::Int),
    ("dispatched_at", Kind::Int),
    ("called_at", Kind::Int),
    ("serving_at", Kind::Int),
    ("detail", Kind::Text),
];

/// Those that change besides when it ends, or gets another place in the queue.
const PLACED: [(&str, Kind); 5] = [
    ("priority", Kind::Int),
    ("due_at", Kind::Int),
    ("expires_at", Kind::Int),
    ("ended_at", Kind::Int),
    ("end_reason", Kind::Text),
];

/// A statement that changes rows, and its parameters.
pub(super) struct Change {
    sql: String,
    json: String,
    /// Of all rows.
    state: Option<&'static str>,
}

/// Statements that change every row that has moved as often as was seen and is not over; `then` is put behind each.
pub(super) fn changes(backend: Backend, rows: Vec<ChangedRow<'_>>, then: &str) -> Vec<Change> {
    let (going_on, placed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.goes_on);
    let mut changes = Vec::new();
    for (columns, mut rows) in
        [(GOING_ON.to_vec(), going_on), ([&GOING_ON[..], &PLACED[..]].concat(), placed)]
    {
        changes.extend(rows.chunks_mut(ROWS_PER_STATEMENT).map(|some| change(backend, &columns, some, then)));
    }
    changes
}

/// What all rows have alike is said once, not in each: a batch of commands, say, makes all of its wakes dispatched, and none
/// of them has been called yet.
fn change(backend: Backend, columns: &[(&str, Kind)], rows: &mut [ChangedRow<'_>], then: &str) -> Change {
    let first = rows.first().and_then(|row| row.state);
    let state = first.filter(|_| rows.iter().all(|row| row.state == first));
    let (empty, mut said): (Vec<_>, Vec<_>) =
        columns.iter().partition(|(name, _)| rows.iter().all(|row| row.has_no(name)));
    let mut set: Vec<_> = said.iter().map(|(name, _)| format!("{name} = changed.{name}")).collect();
    set.extend(empty.iter().map(|(name, _)| format!("{name} = NULL")));
    if state.is_some() {
        set.push("state = $2".into());
        for row in rows.iter_mut() {
            row.state = None;
        }
    } else {
        set.push("state = changed.state".into());
        said.push(("state", Kind::Text));
    }
    if rows.iter().all(|row| is_one(&row.steps)) {
        set.push("moves = wakes.moves + 1".into());
    } else {
        set.push("moves = wakes.moves + COALESCE(changed.steps, 1)".into());
        said.push(("steps", Kind::Int));
    }
    said.extend([("wake_id", Kind::Text), ("moves_before", Kind::Int)]);
    // The plus keeps SQLite from going through all open wakes by their index, and for each through the whole batch.
    let sql = format!(
        "UPDATE wakes SET {} FROM {} AS changed \
         WHERE wakes.wake_id = changed.wake_id AND wakes.moves = changed.moves_before \
         AND +wakes.ended_at IS NULL{then}",
        set.join(", "),
        rows::table(backend, &said)
    );
    Change { sql, json: rows::json(rows), state }
}

/// Returns the wakes whose rows were changed.
pub(super) async fn update(
    tx: &mut Tx,
    backend: Backend,
    rows: Vec<ChangedRow<'_>>,
) -> Result<BTreeSet<WakeId>, StoreError> {
    let mut done = BTreeSet::new();
    for Change { sql, json, state } in changes(backend, rows, " RETURNING wakes.wake_id") {
        let mut asked = sqlx::query_scalar(AssertSqlSafe(sql)).bind(json);
        if let Some(state) = state {
            asked = asked.bind(state);
        }
        let ids: Vec<String> = asked.fetch_all(&mut **tx).await.during("move wakes")?;
        for id in ids {
            done.insert(Place { table: "wakes", row: &id }.parse("wake_id", &id)?);
        }
    }
    Ok(done)
}

/// Returns how many rows were changed.
pub(super) async fn update_all(tx: &mut Tx, changes: Vec<Change>) -> Result<u64, StoreError> {
    let mut changed = 0;
    for Change { sql, json, state } in changes {
        let mut asked = sqlx::query(AssertSqlSafe(sql)).bind(json);
        if let Some(state) = state {
            asked = asked.bind(state);
        }
        changed += asked.execute(&mut **tx).await.during("move wakes")?.rows_affected();
    }
    Ok(changed)
}
