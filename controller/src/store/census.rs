//! Counts for the API and for a scrape: what is open, what ended lately.

use jiff::Timestamp;
use reveille_proto::InstanceId;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};

impl Store {
    /// Wakes that are not over.
    pub async fn wakes_open_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM wakes WHERE ended_at IS NULL")
            .fetch_one(&self.pool)
            .await
            .during("count open wakes")?;
        Ok(count as u64)
    }

    /// Whether a wake of the instance is under way.
    pub async fn wake_is_open(&self, instance: &InstanceId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM wakes WHERE instance_id = $1 AND ended_at IS NULL";
        let open: i64 = sqlx::query_scalar(sql)
            .bind(instance.as_str())
            .fetch_one(&self.pool)
            .await
            .during("look for an open wake")?;
        Ok(open > 0)
    }

    /// Open wakes by state; a state without wakes is not in the list.
    pub async fn wakes_open_by_state(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT state, count(*) FROM wakes WHERE ended_at IS NULL GROUP BY state ORDER BY state";
        let rows: Vec<(String, i64)> =
            sqlx::query_as(sql).fetch_all(&self.pool).await.during("count open wakes by state")?;
        Ok(rows.into_iter().map(|(state, count)| (state, count as u64)).collect())
    }

    /// Wakes that ended at or after `from`, by how they ended.
    pub async fn wakes_ended_by_end(&self, from: Timestamp) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT end_reason, count(*) FROM wakes WHERE ended_at >= $1 GROUP BY end_reason ORDER BY end_reason";
        let rows: Vec<(String, i64)> =
            sqlx::query_as(sql).bind(ms(from)).fetch_all(&self.pool).await.during("count ended wakes")?;
        Ok(rows.into_iter().map(|(end, count)| (end, count as u64)).collect())
    }

    /// When an instance was first called by forecast; none when that never happened.
    pub async fn wakes_first_forecast_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(called_at) FROM wakes WHERE reason = 'forecast'";
        let at: Option<i64> = sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .during("look for the first wake by forecast")?;
        Place { table: "wakes", row: "first by forecast" }.time_opt("called_at", at)
    }
}
