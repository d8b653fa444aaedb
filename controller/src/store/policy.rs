//! Tables `policy` and `policy_changes`: what an operator set at run time, and who changed what.

use jiff::Timestamp;

use super::{
    Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
};

/// A key set at run time; it stands above the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    pub key: String,
    /// JSON.
    pub value: String,
    pub changed_at: Timestamp,
    pub changed_by: String,
}

/// One change, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    pub changed_at: Timestamp,
    pub changed_by: String,
    pub key: String,
    pub old_value: String,
    pub new_value: String,
}

async fn record(tx: &mut Tx, change: &PolicyChange) -> Result<(), StoreError> {
    let sql = "INSERT INTO policy_changes (changed_at, changed_by, key, old_value, new_value) \
               VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(ms(change.changed_at))
        .bind(&change.changed_by)
        .bind(&change.key)
        .bind(&change.old_value)
        .bind(&change.new_value)
        .execute(&mut **tx)
        .await
        .during("record a change of policy")
        .map(drop)
}

impl Store {
    pub async fn policy_list(&self) -> Result<Vec<PolicyRow>, StoreError> {
        let rows: Vec<(String, String, i64, String)> =
            sqlx::query_as("SELECT key, value, changed_at, changed_by FROM policy ORDER BY key")
                .fetch_all(&self.pool)
                .await
                .during("read the policy")?;
        let read = rows.into_iter().map(|(key, value, changed_at, changed_by)| {
            let changed_at = Place { table: "policy", row: &key }.time("changed_at", changed_at)?;
            Ok(PolicyRow { key, value, changed_at, changed_by })
        });
        read.collect()
    }

    /// Sets a key and records the change, both or neither.
    pub async fn policy_change(&self, change: &PolicyChange) -> Result<(), StoreError> {
        self.retried(|| self.keep_change(change)).await
    }

    /// Takes a key back to the configuration's value and records the change, both or neither.
    pub async fn policy_unset(&self, change: &PolicyChange) -> Result<(), StoreError> {
        self.retried(|| self.forget_key(change)).await
    }

    async fn forget_key(&self, change: &PolicyChange) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM policy WHERE key = $1")
            .bind(&change.key)
            .execute(&mut *tx)
            .await
            .during("unset a policy key")?;
        record(&mut tx, change).await?;
        tx.commit().await.during("commit a change of policy")
    }

    async fn keep_change(&self, change: &PolicyChange) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO policy (key, value, changed_at, changed_by) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (key) DO UPDATE SET value = $2, changed_at = $3, changed_by = $4";
        sqlx::query(sql)
            .bind(&change.key)
            .bind(&change.new_value)
            .bind(ms(change.changed_at))
            .bind(&change.changed_by)
            .execute(&mut *tx)
            .await
            .during("set a policy key")?;
        record(&mut tx, change).await?;
        tx.commit().await.during("commit a change of policy")
    }

    /// Newest first.
    pub async fn policy_changes(&self, limit: u32) -> Result<Vec<PolicyChange>, StoreError> {
        let sql = "SELECT changed_at, changed_by, key, old_value, new_value FROM policy_changes ORDER BY change_id DESC LIMIT $1";
        let rows: Vec<(i64, String, String, String, String)> = sqlx::query_as(sql)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .during("read changes of policy")?;
        let read = rows.into_iter().map(|(changed_at, changed_by, key, old_value, new_value)| {
            let changed_at = Place { table: "policy_changes", row: &key }.time("changed_at", changed_at)?;
            Ok(PolicyChange { changed_at, changed_by, key, old_value, new_value })
        });
        read.collect()
    }
}
