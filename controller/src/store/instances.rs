//! Table `instances`: what hibernates, known from logs, from inventories, or from both.

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId};
use sqlx::FromRow;

use super::{
    Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
};

/// An instance with where it lives and when it was last seen in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    pub instance: InstanceId,
    pub host: Option<HostId>,
    pub cohort: String,
    /// IANA name; empty means the configured default.
    pub time_zone: String,
    pub first_seen_at: Option<Timestamp>,
    pub last_seen_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    instance_id: String,
    host_id: Option<String>,
    cohort: String,
    time_zone: String,
    first_seen_at: Option<i64>,
    last_seen_at: Option<i64>,
}

const COLUMNS: &str = "instance_id, host_id, cohort, time_zone, first_seen_at, last_seen_at";

impl Row {
    fn into_instance(self) -> Result<InstanceRow, StoreError> {
        let at = Place { table: "instances", row: &self.instance_id };
        Ok(InstanceRow {
            instance: at.parse("instance_id", &self.instance_id)?,
            host: at.parse_opt("host_id", self.host_id.as_deref())?,
            cohort: self.cohort.clone(),
            time_zone: self.time_zone.clone(),
            first_seen_at: at.time_opt("first_seen_at", self.first_seen_at)?,
            last_seen_at: at.time_opt("last_seen_at", self.last_seen_at)?,
        })
    }
}

impl Store {
    /// A page of instances after `after`, in order of id; `limit` 0 is all.
    pub async fn instances_list(
        &self,
        after: Option<&InstanceId>,
        limit: u32,
    ) -> Result<Vec<InstanceRow>, StoreError> {
        let limit = if limit == 0 { i64::MAX } else { i64::from(limit) };
        let sql =
            format!("SELECT {COLUMNS} FROM instances WHERE instance_id > $1 ORDER BY instance_id LIMIT $2");
        let rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or("", InstanceId::as_str))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .during("list instances")?;
        rows.into_iter().map(Row::into_instance).collect()
    }

    pub async fn instance_get(&self, instance: &InstanceId) -> Result<Option<InstanceRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM instances WHERE instance_id = $1");
        let row = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql))
            .bind(instance.as_str())
            .fetch_optional(&self.pool)
            .await
            .during("read an instance")?;
        row.map(Row::into_instance).transpose()
    }

    /// Sets the cohort and time zone a configuration gives an instance, whether or not it was seen yet.
    pub async fn instance_describe(
        &self,
        instance: &InstanceId,
        cohort: &str,
        time_zone: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO instances (instance_id, cohort, time_zone) VALUES ($1, $2, $3) \
                   ON CONFLICT (instance_id) DO UPDATE SET cohort = CASE WHEN $2 = '' THEN instances.cohort ELSE $2 END, \
                   time_zone = CASE WHEN $3 = '' THEN instances.time_zone ELSE $3 END";
        sqlx::query(sql)
            .bind(instance.as_str())
            .bind(cohort)
            .bind(time_zone)
            .execute(&self.pool)
            .await
            .during("describe an instance")
            .map(|_| ())
    }
}

/// Widens the span in which an instance was seen.
pub(super) async fn seen(
    tx: &mut Tx,
    instance: &InstanceId,
    first: Timestamp,
    last: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO instances (instance_id, first_seen_at, last_seen_at) VALUES ($1, $2, $3) \
               ON CONFLICT (instance_id) DO UPDATE SET \
               first_seen_at = CASE WHEN instances.first_seen_at < $2 THEN instances.first_seen_at ELSE $2 END, \
               last_seen_at = CASE WHEN instances.last_seen_at > $3 THEN instances.last_seen_at ELSE $3 END";
    sqlx::query(sql)
        .bind(instance.as_str())
        .bind(ms(first))
        .bind(ms(last))
        .execute(&mut **tx)
        .await
        .during("widen an instance's span")
        .map(|_| ())
}
