//! Table `wakes`: the queue in its order, of one host and of all.

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId};
use sqlx::{AssertSqlSafe, FromRow};

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    wake_row::{COLUMNS, Row, readable},
};
use crate::wake::{Priority, Wake};

/// In order of the queue.
const PRIORITIES: [Priority; 3] = [Priority::Person, Priority::Operator, Priority::Forecast];

/// Where a wake stands in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub priority: Priority,
    pub due_at: Timestamp,
    pub wake: WakeId,
}

impl Rank {
    pub fn of(wake: &Wake) -> Self {
        Self { priority: wake.priority, due_at: wake.due_at, wake: wake.id }
    }

    /// Within its priority.
    fn place(self) -> (i64, String) {
        (ms(self.due_at), self.wake.to_string())
    }
}

/// A wake with the host its instance lives on.
#[derive(FromRow)]
struct Housed {
    lives_on: String,
    #[sqlx(flatten)]
    row: Row,
}

/// One bad row is said and does not keep all others from being carried out.
fn housed(rows: Vec<Housed>) -> Vec<(HostId, Wake)> {
    let read = |Housed { lives_on, row }: Housed| {
        let host = Place { table: "instances", row: &lives_on }.parse("host_id", &lives_on)?;
        Ok((host, row.into_wake()?))
    };
    rows.into_iter()
        .map(read)
        .filter_map(|wake: Result<_, StoreError>| {
            wake.inspect_err(|error| tracing::error!(%error, "a wake was left out")).ok()
        })
        .collect()
}

/// Queued wakes of instances that live on a host; with `controller` in `$1`, on one whose session it holds.
fn queued_on_hosts(controller: Option<&str>) -> String {
    let whose = match controller {
        Some(_) => "JOIN hosts ON hosts.host_id = instances.host_id AND hosts.controller_id = $1",
        // The parameter is there all the same, so that the numbers of the others stand.
        None => "AND $1 = ''",
    };
    format!(
        "SELECT instances.host_id AS lives_on, {COLUMNS} FROM wakes \
         JOIN instances ON instances.instance_id = wakes.instance_id AND instances.host_id IS NOT NULL {whose} \
         WHERE wakes.state = 'queued'"
    )
}

const ORDER: &str = "ORDER BY wakes.priority, wakes.due_at, wakes.wake_id";

impl Store {
    /// The first `limit` queued wakes of the instances on `host` whose time has come, in order of the queue.
    pub async fn wakes_due(
        &self,
        host: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Wake>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes JOIN instances ON instances.instance_id = wakes.instance_id \
             WHERE wakes.state = 'queued' AND instances.host_id = $1 AND wakes.due_at <= $2 \
             AND wakes.not_before <= $2 AND wakes.expires_at > $2 {ORDER} LIMIT $3"
        );
        let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql))
            .bind(host.as_str())
            .bind(ms(now))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read the queue of a host")?;
        Ok(readable(rows))
    }

    /// The first `limit` queued wakes of all hosts whose time has come, in order of the queue, each with the host its
    /// instance lives on. With `controller`, only those of hosts whose sessions it holds.
    pub async fn wakes_due_all(
        &self,
        now: Timestamp,
        controller: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(HostId, Wake)>, StoreError> {
        self.wakes_due_after(now, controller, None, limit).await
    }

    /// The same behind `after`: a page that is full of wakes which must wait does not hide those behind it.
    ///
    /// A statement per priority: within one, what is due is a range of the index, however many wakes are queued for
    /// later.
    pub async fn wakes_due_after(
        &self,
        now: Timestamp,
        controller: Option<&str>,
        after: Option<Rank>,
        limit: u32,
    ) -> Result<Vec<(HostId, Wake)>, StoreError> {
        let sql = format!(
            "{} AND wakes.priority = $2 AND wakes.due_at <= $3 AND wakes.not_before <= $3 AND wakes.expires_at > $3 \
             AND (wakes.due_at, wakes.wake_id) > ($4, $5) {ORDER} LIMIT $6",
            queued_on_hosts(controller)
        );
        let mut due = Vec::new();
        for priority in PRIORITIES {
            let rest = i64::from(limit) - due.len() as i64;
            if rest <= 0 || after.is_some_and(|after| priority < after.priority) {
                continue;
            }
            let within = after.filter(|after| after.priority == priority);
            let (due_at, wake) = within.map_or((i64::MIN, String::new()), Rank::place);
            let rows = sqlx::query_as::<_, Housed>(AssertSqlSafe(sql.clone()))
                .bind(controller.unwrap_or_default())
                .bind(priority as i64)
                .bind(ms(now))
                .bind(due_at)
                .bind(wake)
                .bind(rest)
                .fetch_all(&self.pool)
                .await
                .during("read what is due")?;
            due.extend(housed(rows));
        }
        Ok(due)
    }

    /// A page of the whole queue behind `after`, due or not, in its order, each with the host its instance lives on.
    pub async fn wakes_queued(
        &self,
        controller: Option<&str>,
        after: Option<Rank>,
        limit: u32,
    ) -> Result<Vec<(HostId, Wake)>, StoreError> {
        let sql = format!(
            "{} AND (wakes.priority, wakes.due_at, wakes.wake_id) > ($2, $3, $4) {ORDER} LIMIT $5",
            queued_on_hosts(controller)
        );
        // Before the first priority there is nothing.
        let priority = after.map_or(-1, |after| after.priority as i64);
        let (due_at, wake) = after.map_or((i64::MIN, String::new()), Rank::place);
        let rows = sqlx::query_as::<_, Housed>(AssertSqlSafe(sql))
            .bind(controller.unwrap_or_default())
            .bind(priority)
            .bind(due_at)
            .bind(wake)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read the queue")?;
        Ok(housed(rows))
    }
}
