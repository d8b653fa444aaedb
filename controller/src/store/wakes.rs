//! Table `wakes`: reading what is under way and what became of it.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId};
use tokio::task;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    rows,
    wake_row::{COLUMNS, Row, readable, readable_one},
};
use crate::wake::{Reason, RetryRule, Wake};

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
    pub async fn wake_get(&self, id: WakeId) -> Result<Option<Wake>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM wakes WHERE wake_id = $1");
        let row = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .during("read a wake")?;
        row.map(Row::into_wake).transpose()
    }

    /// Calls `each` with every wake that holds a permit, as they are read: of a large fleet there are a hundred thousand, and
    /// others go on meanwhile. One bad row is said and left out.
    pub async fn wakes_running_each(&self, each: &mut (dyn FnMut(Wake) + Send)) -> Result<(), StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM wakes WHERE state IN ('dispatched', 'calling', 'starting')");
        let mut rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql)).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.during("read the running wakes")? {
            if let Some(wake) = readable_one(row) {
                each(wake);
            }
            // Rows that have come already are read without a pause.
            task::consume_budget().await;
        }
        Ok(())
    }

    /// These wakes, but for those that are not there, once whoever is moving one of them is done.
    pub async fn wakes_settled(&self, ids: &[WakeId]) -> Result<Vec<Wake>, StoreError> {
        let locked = self.backend.for_update();
        let sql = format!("SELECT {COLUMNS} FROM wakes WHERE wake_id IN {}{locked}", rows::ids(self.backend));
        let ids = rows::ids_json(ids.iter());
        let rows = self.retried(|| async {
            let mut tx = self.begin().await?;
            let rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(ids.as_str())
                .fetch_all(&mut *tx)
                .await
                .during("read some wakes")?;
            tx.commit().await.during("read some wakes")?;
            Ok::<_, StoreError>(rows)
        });
        Ok(readable(rows.await?))
    }

    /// The host each of these wakes was sent to last; those that were sent nowhere, or are not there, are left out.
    pub async fn wake_hosts(&self, ids: &[WakeId]) -> Result<BTreeMap<WakeId, HostId>, StoreError> {
        let sql = format!(
            "SELECT wake_id, host_id FROM wakes WHERE host_id IS NOT NULL AND wake_id IN {}",
            rows::ids(self.backend)
        );
        let rows: Vec<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(rows::ids_json(ids.iter()))
            .fetch_all(&self.pool)
            .await
            .during("read where wakes were sent")?;
        let read = rows.into_iter().map(|(id, host)| {
            let at = Place { table: "wakes", row: &id };
            Ok((at.parse("wake_id", &id)?, at.parse("host_id", &host)?))
        });
        read.collect()
    }

    /// Wakes that hold a permit of `host`.
    pub async fn wakes_running_on(&self, host: &HostId) -> Result<Vec<Wake>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes WHERE state IN ('dispatched', 'calling', 'starting') AND host_id = $1 \
             ORDER BY wake_id"
        );
        let rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql))
            .bind(host.as_str())
            .fetch_all(&self.pool)
            .await
            .during("read the running wakes of a host")?;
        Ok(readable(rows))
    }

    /// Hosts and dispatch times of wakes that ended at or after `since`, having been dispatched.
    pub async fn wakes_ended_since(&self, since: Timestamp) -> Result<Vec<(HostId, Timestamp)>, StoreError> {
        let sql = "SELECT wake_id, host_id, dispatched_at FROM wakes WHERE ended_at >= $1 \
                   AND host_id IS NOT NULL AND dispatched_at IS NOT NULL AND end_reason <> 'already_awake'";
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
        let sql = "SELECT wake_id FROM wakes WHERE (state = 'queued' AND expires_at <= $1) \
                   OR (state IN ('dispatched', 'calling', 'starting') AND deadline_at + $2 <= $1)";
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
        let mut wanted = Wanted { conditions: vec!["1 = 1".to_owned()], values: Vec::new() };
        wanted.text("state =", filter.state.clone());
        wanted.text("instance_id =", filter.instance.as_ref().map(ToString::to_string));
        wanted.text("reason =", filter.reason.map(|reason| reason.to_string()));
        wanted.text("wake_id <", filter.before.map(|before| before.to_string()));
        wanted.time("created_at >=", filter.from);
        wanted.time("created_at <", filter.to);
        let limit = if filter.limit == 0 { i64::MAX } else { i64::from(filter.limit) };
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes WHERE {} ORDER BY wake_id DESC LIMIT {limit}",
            wanted.conditions.join(" AND ")
        );
        let mut query = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql));
        for value in wanted.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Time(at) => query.bind(ms(at)),
            };
        }
        let rows = query.fetch_all(&self.pool).await.during("list wakes")?;
        rows.into_iter().map(Row::into_wake).collect()
    }

    /// How long endings took from the call to serving, with the host's class: what lead times are learned from.
    pub async fn wakes_serving_times(
        &self,
        limit: u32,
    ) -> Result<Vec<(String, jiff::SignedDuration)>, StoreError> {
        let sql = "SELECT COALESCE(hosts.host_class, ''), wakes.serving_at - wakes.dispatched_at FROM wakes \
                   LEFT JOIN hosts USING (host_id) \
                   WHERE wakes.ended_at IS NOT NULL AND wakes.end_reason = 'woken' \
                   AND wakes.serving_at >= wakes.dispatched_at \
                   ORDER BY wakes.ended_at DESC LIMIT $1";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read serving times")?;
        Ok(rows.into_iter().map(|(class, ms)| (class, jiff::SignedDuration::from_millis(ms))).collect())
    }

    /// Ended wakes without a verdict.
    pub async fn wakes_unjudged(&self, limit: u32) -> Result<Vec<Wake>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes LEFT JOIN outcomes ON outcomes.wake_id = wakes.wake_id \
             WHERE wakes.ended_at IS NOT NULL AND outcomes.wake_id IS NULL \
             AND wakes.end_reason IN ('woken', 'failed', 'timed_out', 'host_lost') \
             ORDER BY wakes.ended_at LIMIT $1"
        );
        let rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read wakes without a verdict")?;
        rows.into_iter().map(Row::into_wake).collect()
    }
}

/// The conditions of a filter and their values, numbered as they come.
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Time(Timestamp),
}

impl Wanted {
    fn text(&mut self, condition: &str, value: Option<String>) {
        self.all(condition, value.map(Value::Text));
    }

    fn time(&mut self, condition: &str, value: Option<Timestamp>) {
        self.all(condition, value.map(Value::Time));
    }

    fn all(&mut self, condition: &str, value: Option<Value>) {
        self.conditions.extend(value.map(|value| {
            self.values.push(value);
            format!("{condition} ${}", self.values.len())
        }));
    }
}
