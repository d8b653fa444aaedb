//! The queued rows of table `wakes` with their instances, for the dispatcher's mirror of the queue.

use jiff::Timestamp;
use reveille_proto::WakeId;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    rows,
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

/// A move other controllers must hear of: by it a wake was put in the queue, called off, or ended by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldMove {
    pub wake: WakeId,
    pub seq: u32,
    pub is_queued: bool,
    pub was_queued: bool,
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

    /// Those of these wakes that are queued. One bad row is said and left out.
    pub async fn queue_entries(&self, ids: &[WakeId]) -> Result<Vec<Queued>, StoreError> {
        let sql = format!(
            "{} WHERE wakes.wake_id IN {} AND wakes.state = 'queued'",
            select(),
            rows::ids(self.backend)
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(rows::ids_json(ids))
            .fetch_all(&self.pool)
            .await
            .during("read queued wakes")?;
        Ok(readable(rows))
    }
}

impl Store {
    /// The moves at or after `since` that concern whoever holds the host's session, made by whomever.
    pub async fn moves_told_since(&self, since: Timestamp) -> Result<Vec<ToldMove>, StoreError> {
        // The condition is that of the index `transitions_told`, to the letter: another one would read the whole table.
        // Whether they are queued still is not asked: that would be a look at the wakes themselves, every second.
        let sql = "SELECT wake_id, seq, from_state, to_state FROM transitions \
                   WHERE at >= $1 AND (to_state = 'queued' OR event IN ('cancel', 'force'))";
        let rows: Vec<(String, i64, String, String)> = sqlx::query_as(sql)
            .bind(ms(since))
            .fetch_all(&self.pool)
            .await
            .during("look for wakes that were queued")?;
        let read = |(id, seq, from, to): &(String, i64, String, String)| {
            Ok(ToldMove {
                wake: Place { table: "transitions", row: id }.parse("wake_id", id)?,
                seq: *seq as u32,
                is_queued: to == "queued",
                was_queued: from == "queued",
            })
        };
        rows.iter().map(read).collect()
    }
}

fn readable(rows: Vec<Row>) -> Vec<Queued> {
    let queued = rows.into_iter().map(Row::into_queued);
    queued
        .filter_map(|wake| wake.inspect_err(|error| tracing::error!(%error, "a wake was left out")).ok())
        .collect()
}
