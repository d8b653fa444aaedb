//! Table `wakes`: the queue and everything that became of it.

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId};
use sqlx::{FromRow, QueryBuilder, Sqlite, Transaction};

use super::{
    Store, StoreError, Transition,
    error::During,
    row::{Place, ms},
};
use crate::wake::{Effect, Event, Priority, Reason, RetryRule, State, Wake, step};

#[derive(FromRow)]
pub(super) struct Row {
    wake_id: String,
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
        })
    }
}

/// Wakes of the rows that can be read: one bad row is said and does not keep all others from being carried out.
fn readable(rows: Vec<Row>) -> Vec<Wake> {
    let wakes = rows.into_iter().map(Row::into_wake);
    wakes
        .filter_map(|wake| wake.inspect_err(|error| tracing::error!(%error, "a wake was left out")).ok())
        .collect()
}

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
        }
    }
}

/// Which wakes to list.
#[derive(Debug, Clone, Default)]
pub struct WakeFilter {
    /// State name; `None` is all.
    pub state: Option<String>,
    pub instance: Option<InstanceId>,
    pub reason: Option<Reason>,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
    /// Only wakes that sort after this one, for paging (newest first: ids below this one).
    pub before: Option<WakeId>,
    /// 0 is no limit.
    pub limit: u32,
}

impl Store {
    /// Puts a wake in the queue, or joins the instance's open one. Returns the wake and whether it is new.
    pub async fn wake_request(
        &self,
        new: &NewWake,
        rule: &RetryRule,
    ) -> Result<(Wake, Vec<Effect>, bool), StoreError> {
        let mut tx = self.begin().await?;
        let open = sqlx::query_as::<_, Row>("SELECT * FROM wakes WHERE instance_id = ? AND ended_at IS NULL")
            .bind(new.instance.as_str())
            .fetch_optional(&mut *tx)
            .await
            .during("look for an open wake")?;
        let answer = if let Some(open) = open {
            let event =
                Event::Join { by: new.requested_by.clone(), at: new.created_at, expires_at: new.expires_at };
            let (wake, effects) = advance(&mut tx, open.into_wake()?, &event, rule).await?;
            (wake, effects, false)
        } else {
            let wake = new.queued();
            insert(&mut tx, &wake).await?;
            (wake, vec![Effect::LookAtQueue], true)
        };
        tx.commit().await.during("commit a wake request")?;
        Ok(answer)
    }

    /// Puts a planned wake in the queue unless the instance has an open wake. Returns whether it was put there.
    pub async fn wake_plan(&self, new: &NewWake, hour_at: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let taken: i64 =
            sqlx::query_scalar("SELECT count(*) FROM wakes WHERE instance_id = ? AND ended_at IS NULL")
                .bind(new.instance.as_str())
                .fetch_one(&mut *tx)
                .await
                .during("look for an open wake")?;
        if taken > 0 {
            return Ok(false);
        }
        insert(&mut tx, &new.queued()).await?;
        sqlx::query("UPDATE planned SET wake_id = ? WHERE instance_id = ? AND hour_at = ?")
            .bind(new.id.to_string())
            .bind(new.instance.as_str())
            .bind(ms(hour_at))
            .execute(&mut *tx)
            .await
            .during("tie a wake to its plan")?;
        tx.commit().await.during("commit a planned wake")?;
        Ok(true)
    }

    /// Steps a wake and commits the move with its row in `transitions`; the effects are for after the commit.
    pub async fn wake_step(
        &self,
        id: WakeId,
        event: &Event,
        rule: &RetryRule,
    ) -> Result<(Wake, Vec<Effect>), StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query_as::<_, Row>("SELECT * FROM wakes WHERE wake_id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .during("read a wake")?;
        let wake = row.ok_or(StoreError::NoWake(id))?.into_wake()?;
        let stepped = advance(&mut tx, wake, event, rule).await?;
        tx.commit().await.during("commit a move of a wake")?;
        Ok(stepped)
    }

    pub async fn wake_get(&self, id: WakeId) -> Result<Option<Wake>, StoreError> {
        let row = sqlx::query_as::<_, Row>("SELECT * FROM wakes WHERE wake_id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .during("read a wake")?;
        row.map(Row::into_wake).transpose()
    }

    /// The first `limit` queued wakes of the instances on `host` whose time has come, in order of the queue.
    pub async fn wakes_due(
        &self,
        host: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Wake>, StoreError> {
        let sql = "SELECT wakes.* FROM wakes JOIN instances USING (instance_id) \
                   WHERE wakes.state = 'queued' AND instances.host_id = ?1 AND wakes.due_at <= ?2 \
                   AND wakes.not_before <= ?2 AND wakes.expires_at > ?2 \
                   ORDER BY wakes.priority, wakes.due_at, wakes.wake_id LIMIT ?3";
        let rows = sqlx::query_as::<_, Row>(sql)
            .bind(host.as_str())
            .bind(ms(now))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .during("read the queue of a host")?;
        Ok(readable(rows))
    }

    /// Wakes that hold a permit.
    pub async fn wakes_running(&self) -> Result<Vec<Wake>, StoreError> {
        let sql = "SELECT * FROM wakes WHERE state IN ('dispatched', 'calling', 'starting') ORDER BY wake_id";
        let rows =
            sqlx::query_as::<_, Row>(sql).fetch_all(&self.pool).await.during("read the running wakes")?;
        Ok(readable(rows))
    }

    /// Wakes that hold a permit of `host`.
    pub async fn wakes_running_on(&self, host: &HostId) -> Result<Vec<Wake>, StoreError> {
        let sql = "SELECT * FROM wakes WHERE state IN ('dispatched', 'calling', 'starting') AND host_id = $1 \
                   ORDER BY wake_id";
        let rows = sqlx::query_as::<_, Row>(sql)
            .bind(host.as_str())
            .fetch_all(&self.pool)
            .await
            .during("read the running wakes of a host")?;
        Ok(readable(rows))
    }

    /// Hosts and dispatch times of wakes that ended at or after `since`, having been dispatched.
    pub async fn wakes_ended_since(&self, since: Timestamp) -> Result<Vec<(HostId, Timestamp)>, StoreError> {
        let sql = "SELECT wake_id, host_id, dispatched_at FROM wakes WHERE ended_at >= ? \
                   AND host_id IS NOT NULL AND dispatched_at IS NOT NULL AND end_reason != 'already_awake'";
        let rows: Vec<(String, String, i64)> = sqlx::query_as(sql)
            .bind(ms(since))
            .fetch_all(&self.pool)
            .await
            .during("read the wakes that just ended")?;
        let read = rows.into_iter().map(|(id, host, dispatched_at)| {
            let at = Place { table: "wakes", row: &id };
            Ok((at.parse("host_id", &host)?, at.time("dispatched_at", dispatched_at)?))
        });
        read.collect()
    }

    /// Open wakes whose time is over: queued past `expires_at`, or running past `deadline_at` plus the grace.
    pub async fn wakes_overdue(&self, now: Timestamp, rule: &RetryRule) -> Result<Vec<WakeId>, StoreError> {
        let grace_ms = i64::from(rule.deadline_grace_s) * 1000;
        let sql = "SELECT wake_id FROM wakes WHERE (state = 'queued' AND expires_at <= ?1) \
                   OR (state IN ('dispatched', 'calling', 'starting') AND deadline_at + ?2 <= ?1)";
        let ids: Vec<String> = sqlx::query_scalar(sql)
            .bind(ms(now))
            .bind(grace_ms)
            .fetch_all(&self.pool)
            .await
            .during("look for overdue wakes")?;
        ids.iter().map(|id| Place { table: "wakes", row: id }.parse("wake_id", id)).collect()
    }

    /// Newest first.
    pub async fn wakes_list(&self, filter: &WakeFilter) -> Result<Vec<Wake>, StoreError> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM wakes WHERE 1 = 1");
        if let Some(state) = &filter.state {
            sql.push(" AND state = ").push_bind(state.clone());
        }
        if let Some(instance) = &filter.instance {
            sql.push(" AND instance_id = ").push_bind(instance.as_str().to_owned());
        }
        if let Some(reason) = filter.reason {
            sql.push(" AND reason = ").push_bind(reason.as_str());
        }
        if let Some(from) = filter.from {
            sql.push(" AND created_at >= ").push_bind(ms(from));
        }
        if let Some(to) = filter.to {
            sql.push(" AND created_at < ").push_bind(ms(to));
        }
        if let Some(before) = filter.before {
            sql.push(" AND wake_id < ").push_bind(before.to_string());
        }
        sql.push(" ORDER BY wake_id DESC");
        if filter.limit > 0 {
            sql.push(" LIMIT ").push_bind(filter.limit);
        }
        let rows = sql.build_query_as::<Row>().fetch_all(&self.pool).await.during("list wakes")?;
        rows.into_iter().map(Row::into_wake).collect()
    }

    /// How long endings took from the call to serving, with the host's class: what lead times are learned from.
    pub async fn wakes_serving_times(
        &self,
        limit: u32,
    ) -> Result<Vec<(String, jiff::SignedDuration)>, StoreError> {
        let sql = "SELECT COALESCE(hosts.host_class, ''), wakes.serving_at - wakes.dispatched_at FROM wakes \
                   LEFT JOIN hosts USING (host_id) \
                   WHERE wakes.end_reason = 'woken' AND wakes.serving_at >= wakes.dispatched_at \
                   ORDER BY wakes.ended_at DESC LIMIT ?";
        let rows: Vec<(String, i64)> =
            sqlx::query_as(sql).bind(limit).fetch_all(&self.pool).await.during("read serving times")?;
        Ok(rows.into_iter().map(|(class, ms)| (class, jiff::SignedDuration::from_millis(ms))).collect())
    }

    /// Ended wakes without a verdict.
    pub async fn wakes_unjudged(&self, limit: u32) -> Result<Vec<Wake>, StoreError> {
        let sql = "SELECT wakes.* FROM wakes LEFT JOIN outcomes USING (wake_id) \
                   WHERE wakes.ended_at IS NOT NULL AND outcomes.wake_id IS NULL \
                   AND wakes.end_reason IN ('woken', 'failed', 'timed_out', 'host_lost') \
                   ORDER BY wakes.ended_at LIMIT ?";
        let rows = sqlx::query_as::<_, Row>(sql)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .during("read wakes without a verdict")?;
        rows.into_iter().map(Row::into_wake).collect()
    }
}

async fn advance(
    tx: &mut Transaction<'static, Sqlite>,
    wake: Wake,
    event: &Event,
    rule: &RetryRule,
) -> Result<(Wake, Vec<Effect>), StoreError> {
    let (next, effects) = step(&wake, event, rule)?;
    if next != wake {
        update(tx, &next).await?;
        let epoch = next.state.run().or(wake.state.run()).map_or(0, |run| run.epoch);
        let moved = Transition {
            wake: wake.id,
            seq: 0,
            at: event.at(),
            event: event.name().into(),
            from: wake.state.name().into(),
            to: next.state.name().into(),
            epoch,
            detail: next.detail.clone(),
        };
        super::transitions::append(tx, &moved).await?;
    }
    Ok((next, effects))
}

/// The columns that repeat what the state carries, so that the queue can be searched.
struct StateColumns {
    not_before: Option<i64>,
    deadline_at: Option<i64>,
    ended_at: Option<i64>,
    end: Option<&'static str>,
    data: String,
}

fn state_columns(state: &State) -> StateColumns {
    let not_before = if let State::Queued { not_before, .. } = state { Some(ms(*not_before)) } else { None };
    let ended = if let State::Ended { end, at } = state { Some((*end, *at)) } else { None };
    StateColumns {
        not_before,
        deadline_at: state.run().map(|run| ms(run.deadline_at)),
        ended_at: ended.map(|(_, at)| ms(at)),
        end: ended.map(|(end, _)| end.as_str()),
        data: serde_json::to_string(state).expect("a state has only string keys"),
    }
}

async fn insert(tx: &mut Transaction<'static, Sqlite>, wake: &Wake) -> Result<(), StoreError> {
    let columns = state_columns(&wake.state);
    let sql = "INSERT INTO wakes (wake_id, instance_id, reason, priority, requested_by, plan_id, probability, \
               created_at, due_at, serve_at, expires_at, state, state_data, not_before, attempt, detail) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(wake.id.to_string())
        .bind(wake.instance.as_str())
        .bind(wake.reason.as_str())
        .bind(wake.priority as i64)
        .bind(&wake.requested_by)
        .bind(wake.plan_id)
        .bind(wake.probability)
        .bind(ms(wake.created_at))
        .bind(ms(wake.due_at))
        .bind(wake.serve_at.map(ms))
        .bind(ms(wake.expires_at))
        .bind(wake.state.name())
        .bind(columns.data)
        .bind(columns.not_before)
        .bind(i64::from(wake.last_attempt))
        .bind(&wake.detail)
        .execute(&mut **tx)
        .await
        .during("insert a wake")?;
    let created = Transition {
        wake: wake.id,
        seq: 0,
        at: wake.created_at,
        event: "created".into(),
        from: String::new(),
        to: wake.state.name().into(),
        epoch: 0,
        detail: format!("{} by {}", wake.reason, wake.requested_by),
    };
    super::transitions::append(tx, &created).await
}

async fn update(tx: &mut Transaction<'static, Sqlite>, wake: &Wake) -> Result<(), StoreError> {
    let columns = state_columns(&wake.state);
    let sql = "UPDATE wakes SET priority = ?, due_at = ?, expires_at = ?, state = ?, state_data = ?, host_id = ?, \
               not_before = ?, deadline_at = ?, attempt = ?, dispatched_at = ?, called_at = ?, serving_at = ?, \
               ended_at = ?, end_reason = ?, detail = ?, moves = moves + 1 WHERE wake_id = ? AND ended_at IS NULL";
    let done = sqlx::query(sql)
        .bind(wake.priority as i64)
        .bind(ms(wake.due_at))
        .bind(ms(wake.expires_at))
        .bind(wake.state.name())
        .bind(columns.data)
        .bind(wake.last_host.as_ref().map(HostId::as_str))
        .bind(columns.not_before)
        .bind(columns.deadline_at)
        .bind(i64::from(wake.last_attempt))
        .bind(wake.dispatched_at.map(ms))
        .bind(wake.called_at.map(ms))
        .bind(wake.serving_at.map(ms))
        .bind(columns.ended_at)
        .bind(columns.end)
        .bind(&wake.detail)
        .bind(wake.id.to_string())
        .execute(&mut **tx)
        .await
        .during("update a wake")?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row = wake.id.to_string();
    Err(Place { table: "wakes", row: &row }.bad("it is over and cannot move"))
}
