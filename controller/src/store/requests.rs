//! Table `wakes`: putting wakes in the queue, one at a time for a person, many at a time for a plan.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{
    Backend, Store, StoreError, Transition, Tx,
    changes::StateColumns,
    error::During,
    moves::advance,
    row::ms,
    rows::{self, Kind, ROWS_PER_STATEMENT, plain},
    transitions,
    wake_row::{COLUMNS, Row},
};
use crate::wake::{Effect, Event, Reason, RetryRule, State, Wake};

/// A wake to be put in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWake {
    pub id: WakeId,
    pub instance: InstanceId,
    pub reason: Reason,
    pub requested_by: String,
    pub plan_id: Option<i64>,
    pub probability: Option<f64>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub serve_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

impl NewWake {
    fn queued(&self) -> Wake {
        Wake {
            id: self.id,
            instance: self.instance.clone(),
            reason: self.reason,
            priority: self.reason.priority(),
            requested_by: self.requested_by.clone(),
            plan_id: self.plan_id,
            probability: self.probability,
            created_at: self.created_at,
            due_at: self.due_at,
            serve_at: self.serve_at,
            expires_at: self.expires_at,
            state: State::Queued { attempt: 1, failures: 0, not_before: self.due_at },
            called_at: None,
            serving_at: None,
            detail: "waits for its time".into(),
            last_host: None,
            last_attempt: 0,
            dispatched_at: None,
            moves: 0,
        }
    }
}

impl Store {
    /// Puts a wake in the queue, or joins the instance's open one. Returns the wake and whether it is new.
    pub async fn wake_request(
        &self,
        new: &NewWake,
        rule: &RetryRule,
    ) -> Result<(Wake, Vec<Effect>, bool), StoreError> {
        self.retried(|| self.request(new, rule)).await
    }

    async fn request(
        &self,
        new: &NewWake,
        rule: &RetryRule,
    ) -> Result<(Wake, Vec<Effect>, bool), StoreError> {
        let mut tx = self.begin().await?;
        let wake = new.queued();
        // Put there first and asked afterwards: whoever else asks for the instance at the same moment waits here.
        let answer = if insert(&mut tx, self.backend, std::slice::from_ref(&wake)).await?.is_empty() {
            let open = open_wake(&mut tx, self.backend, &new.instance).await?;
            let event =
                Event::Join { by: new.requested_by.clone(), at: new.created_at, expires_at: new.expires_at };
            let (wake, effects) = advance(&mut tx, self.backend, open, &event, rule).await?;
            (wake, effects, false)
        } else {
            (wake, vec![Effect::LookAtQueue], true)
        };
        tx.commit().await.during("commit a wake request")?;
        Ok(answer)
    }

    /// Puts a planned wake in the queue unless the instance has an open wake. Returns whether it was put there.
    pub async fn wake_plan(&self, new: &NewWake, hour_at: Timestamp) -> Result<bool, StoreError> {
        let queued = self.wakes_plan(&[(new.clone(), hour_at)]).await?;
        Ok(queued == [true])
    }

    /// Puts planned wakes in the queue in one commit, each unless its instance has an open wake. Returns, in the order
    /// given, which were put there.
    pub async fn wakes_plan(&self, new: &[(NewWake, Timestamp)]) -> Result<Vec<bool>, StoreError> {
        self.retried(|| self.put_planned(new)).await
    }

    async fn put_planned(&self, new: &[(NewWake, Timestamp)]) -> Result<Vec<bool>, StoreError> {
        let mut tx = self.begin().await?;
        let wakes: Vec<Wake> = new.iter().map(|(new, _)| new.queued()).collect();
        let inserted = insert(&mut tx, self.backend, &wakes).await?;
        let tied = |(new, hour_at): &(NewWake, Timestamp)| Tie {
            wake_id: new.id,
            instance_id: new.instance.clone(),
            hour_at: ms(*hour_at),
        };
        let ties: Vec<_> = new.iter().filter(|(new, _)| inserted.contains(&new.id)).map(tied).collect();
        let columns = [("wake_id", Kind::Text), ("instance_id", Kind::Text), ("hour_at", Kind::Int)];
        let sql = format!(
            "UPDATE planned SET wake_id = tie.wake_id FROM {} AS tie \
             WHERE planned.instance_id = tie.instance_id AND planned.hour_at = tie.hour_at",
            rows::table(self.backend, &columns)
        );
        for some in ties.chunks(ROWS_PER_STATEMENT) {
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(rows::json(some))
                .execute(&mut *tx)
                .await
                .during("tie wakes to their plan")?;
        }
        tx.commit().await.during("commit planned wakes")?;
        Ok(new.iter().map(|(new, _)| inserted.contains(&new.id)).collect())
    }
}

/// Which planned hour a wake carries out.
#[derive(Serialize)]
struct Tie {
    wake_id: WakeId,
    instance_id: InstanceId,
    hour_at: i64,
}

/// The open wake that kept another one out.
async fn open_wake(tx: &mut Tx, backend: Backend, instance: &InstanceId) -> Result<Wake, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM wakes WHERE instance_id = $1 AND ended_at IS NULL{}",
        backend.for_update()
    );
    // Gone when it ended between the two statements.
    let open: Option<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(instance.as_str())
        .fetch_optional(&mut **tx)
        .await
        .during("look for an open wake")?;
    open.ok_or(StoreError::Overtaken)?.into_wake()
}

#[derive(Serialize)]
struct NewRow<'a> {
    wake_id: WakeId,
    instance_id: &'a InstanceId,
    reason: &'static str,
    priority: i64,
    requested_by: String,
    plan_id: Option<i64>,
    probability: Option<f64>,
    created_at: i64,
    due_at: i64,
    serve_at: Option<i64>,
    expires_at: i64,
    state: &'static str,
    state_data: String,
    not_before: Option<i64>,
    attempt: u32,
    detail: String,
}

fn new_row(wake: &Wake) -> NewRow<'_> {
    let columns = StateColumns::of(&wake.state);
    NewRow {
        wake_id: wake.id,
        instance_id: &wake.instance,
        reason: wake.reason.as_str(),
        priority: wake.priority as i64,
        requested_by: plain(&wake.requested_by),
        plan_id: wake.plan_id,
        probability: wake.probability,
        created_at: ms(wake.created_at),
        due_at: ms(wake.due_at),
        serve_at: wake.serve_at.map(ms),
        expires_at: ms(wake.expires_at),
        state: wake.state.name(),
        state_data: columns.data,
        not_before: columns.not_before,
        attempt: wake.last_attempt,
        detail: plain(&wake.detail),
    }
}

const NEW_COLUMNS: [(&str, Kind); 16] = [
    ("wake_id", Kind::Text),
    ("instance_id", Kind::Text),
    ("reason", Kind::Text),
    ("priority", Kind::Int),
    ("requested_by", Kind::Text),
    ("plan_id", Kind::Int),
    ("probability", Kind::Real),
    ("created_at", Kind::Int),
    ("due_at", Kind::Int),
    ("serve_at", Kind::Int),
    ("expires_at", Kind::Int),
    ("state", Kind::Text),
    ("state_data", Kind::Text),
    ("not_before", Kind::Int),
    ("attempt", Kind::Int),
    ("detail", Kind::Text),
];

/// Puts wakes in the queue, each unless its instance has an open one. Returns those that were.
async fn insert(tx: &mut Tx, backend: Backend, wakes: &[Wake]) -> Result<BTreeSet<WakeId>, StoreError> {
    let names = NEW_COLUMNS.map(|(name, _)| name).join(", ");
    let sql = format!(
        "INSERT INTO wakes ({names}) SELECT {names} FROM {} AS new WHERE 1 = 1 ON CONFLICT DO NOTHING \
         RETURNING wake_id",
        rows::table(backend, &NEW_COLUMNS)
    );
    let mut inserted = BTreeSet::new();
    for some in wakes.chunks(ROWS_PER_STATEMENT) {
        let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .bind(rows::json(&some.iter().map(new_row).collect::<Vec<_>>()))
            .fetch_all(&mut **tx)
            .await
            .during("insert wakes")?;
        inserted.extend(ids.iter().filter_map(|id| id.parse::<WakeId>().ok()));
    }
    let made = wakes.iter().filter(|wake| inserted.contains(&wake.id));
    let created: Vec<_> = made.map(|wake| (created(wake), &wake.instance)).collect();
    transitions::append(tx, backend, &created).await?;
    Ok(inserted)
}

fn created(wake: &Wake) -> Transition {
    Transition {
        wake: wake.id,
        seq: 1,
        at: wake.created_at,
        event: "created".into(),
        from: String::new(),
        to: wake.state.name().into(),
        epoch: 0,
        detail: format!("{} by {}", wake.reason, wake.requested_by),
    }
}
