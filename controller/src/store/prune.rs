//! Forgetting: rows of every table older than they are kept.

use jiff::Timestamp;

use super::{Store, StoreError, error::During, row::ms};

/// Each with one placeholder: milliseconds since 1970. Open wakes are never forgotten.
const STATEMENTS: [&str; 12] = [
    "DELETE FROM transitions WHERE wake_id IN (SELECT wake_id FROM wakes WHERE ended_at < $1)",
    "DELETE FROM outcomes WHERE wake_id IN (SELECT wake_id FROM wakes WHERE ended_at < $1)",
    "DELETE FROM late_results WHERE wake_id IN (SELECT wake_id FROM wakes WHERE ended_at < $1)",
    "DELETE FROM wakes WHERE ended_at < $1",
    "DELETE FROM visits WHERE departed_at < $1",
    "DELETE FROM activity WHERE (day + 1) * 86400000 < $1",
    "DELETE FROM planned WHERE serve_at < $1",
    "DELETE FROM held_out WHERE serve_at < $1",
    "DELETE FROM plans WHERE made_at < $1",
    "DELETE FROM spend WHERE (day + 1) * 86400000 < $1",
    "DELETE FROM notifications WHERE created_at < $1",
    "DELETE FROM host_load WHERE (hour + 1) * 3600000 < $1",
];

impl Store {
    /// Deletes what ended before `before`. Returns the number of rows.
    pub async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.retried(|| self.forget(before)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut rows = 0;
        for statement in STATEMENTS {
            let done =
                sqlx::query(statement).bind(ms(before)).execute(&mut *tx).await.during("forget old rows")?;
            rows += done.rows_affected();
        }
        tx.commit().await.during("commit a pruning")?;
        Ok(rows)
    }
}
