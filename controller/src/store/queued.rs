//! The queued rows of table `wakes` with their instances, for the dispatcher's mirror of the queue.

use jiff::Timestamp;
use reveille_proto::WakeId;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    wake_row::{COLUMNS, Row as WakeRow},
};
use crate::queue::Queued;

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    wake: WakeRow,
    on_host: Option<String>,
    in_cohort: Option<String>,
    in_time_zone: Option<String>,
}

impl Row {
    fn into_queued(self) -> Result<Queued, StoreError> {
        let wake = self.wake.into_wake()?;
        let row = wake.instance.to_string();
        let at = Place { table: "instances", row: &row };
        Ok(Queued {
            host: at.parse_opt("host_id", self.on_host.as_deref())?,
            cohort: self.in_cohort.unwrap_or_default(),
            time_zone: self.in_time_zone.unwrap_or_default(),
            wake,
        })
    }
}

fn select() -> String {
    format!(
        "SELECT {COLUMNS}, instances.host_id AS on_host, instances.cohort AS in_cohort, \
         instances.time_zone AS in_time_zone FROM wakes \
         LEFT JOIN instances ON instances.instance_id = wakes.instance_id"
    )
}

impl Store {
    /// The next `limit` queued wakes after `after`, in order of the id. One bad row is said and left out.
    pub async fn queue_page(&self, after: Option<WakeId>, limit: u32) -> Result<Vec<Queued>, StoreError> {
        let sql = format!(
            "{} WHERE wakes.state = 'queued' AND wakes.wake_id > $1 ORDER BY wakes.wake_id LIMIT $2",
            select()
        );
        let after = after.map_or_else(String::new, |id| id.to_string());
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read the queue")?;
        Ok(readable(rows))
    }

    /// One queued wake; `None` when it is not queued.
    pub async fn queue_entry(&self, id: WakeId) -> Result<Option<Queued>, StoreError> {
        let sql = format!("{} WHERE wakes.wake_id = $1 AND wakes.state = 'queued'", select());
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .during("read a queued wake")?;
        row.map(Row::into_queued).transpose()
    }
}

impl Store {
    /// Wakes that were put in the queue, or put there anew, at or after `since`.
    pub async fn wakes_queued_since(&self, since: Timestamp) -> Result<Vec<WakeId>, StoreError> {
        let sql = "SELECT DISTINCT transitions.wake_id FROM transitions \
                   JOIN wakes ON wakes.wake_id = transitions.wake_id AND wakes.state = 'queued' \
                   WHERE transitions.at >= $1 AND transitions.to_state = 'queued'";
        let ids: Vec<String> = sqlx::query_scalar(sql)
            .bind(ms(since))
            .fetch_all(&self.pool)
            .await
            .during("look for wakes that were queued")?;
        ids.iter().map(|id| Place { table: "transitions", row: id }.parse("wake_id", id)).collect()
    }
}

fn readable(rows: Vec<Row>) -> Vec<Queued> {
    let queued = rows.into_iter().map(Row::into_queued);
    queued
        .filter_map(|wake| wake.inspect_err(|error| tracing::error!(%error, "a wake was left out")).ok())
        .collect()
}
