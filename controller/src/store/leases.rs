//! Table `leases`: who leads, under which epoch; and the check that keeps a late writer out.

use super::{Backend, Store, StoreError, Tx, error::During};

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Empty when its holder has let go.
    pub holder: String,
    /// Rises each time somebody takes it.
    pub epoch: u64,
    /// Renewals under this epoch.
    pub beat: u64,
}

/// What a writer must still hold when it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub lease: String,
    pub epoch: u64,
}

impl Store {
    /// `None` when nobody ever held it.
    pub async fn lease_read(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT holder, epoch, beat FROM leases WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .during("read a lease")?;
        Ok(row.map(|(holder, epoch, beat)| Lease { holder, epoch: epoch as u64, beat: beat as u64 }))
    }

    /// Takes the lease if it stands exactly as it was seen: epoch and beat, or nobody's yet. Returns the new epoch;
    /// `None` when somebody was faster.
    pub async fn lease_take(
        &self,
        name: &str,
        me: &str,
        seen: Option<(u64, u64)>,
    ) -> Result<Option<u64>, StoreError> {
        let query = match seen {
            None => sqlx::query_scalar(
                "INSERT INTO leases (name, holder, epoch, beat) VALUES ($1, $2, 1, 0) ON CONFLICT DO NOTHING \
                 RETURNING epoch",
            )
            .bind(name)
            .bind(me),
            Some((epoch, beat)) => sqlx::query_scalar(
                "UPDATE leases SET holder = $2, epoch = epoch + 1, beat = 0 \
                 WHERE name = $1 AND epoch = $3 AND beat = $4 RETURNING epoch",
            )
            .bind(name)
            .bind(me)
            .bind(epoch as i64)
            .bind(beat as i64),
        };
        let epoch: Option<i64> = query.fetch_optional(&self.pool).await.during("take a lease")?;
        Ok(epoch.map(|epoch| epoch as u64))
    }

    /// Says that `me` is still there. `false` when the lease is somebody else's by now.
    pub async fn lease_renew(&self, name: &str, me: &str, epoch: u64) -> Result<bool, StoreError> {
        self.lease_change("UPDATE leases SET beat = beat + 1", name, me, epoch).await
    }

    /// Lets go, so that nobody waits for the time to live. `false` when it was somebody else's already.
    pub async fn lease_release(&self, name: &str, me: &str, epoch: u64) -> Result<bool, StoreError> {
        self.lease_change("UPDATE leases SET holder = '', beat = beat + 1", name, me, epoch).await
    }

    async fn lease_change(&self, change: &str, name: &str, me: &str, epoch: u64) -> Result<bool, StoreError> {
        let sql = format!("{change} WHERE name = $1 AND holder = $2 AND epoch = $3");
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(name)
            .bind(me)
            .bind(epoch as i64)
            .execute(&self.pool)
            .await
            .during("renew a lease")?;
        Ok(done.rows_affected() == 1)
    }
}

/// Refuses the transaction unless the fence still stands; it stands until the commit.
pub(super) async fn fenced(tx: &mut Tx, backend: Backend, fence: Option<&Fence>) -> Result<(), StoreError> {
    let Some(fence) = fence else { return Ok(()) };
    let sql = format!("SELECT epoch FROM leases WHERE name = $1 AND holder <> ''{}", backend.for_share());
    let epoch: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(&fence.lease)
        .fetch_optional(&mut **tx)
        .await
        .during("look at a lease")?;
    if epoch == Some(fence.epoch as i64) {
        return Ok(());
    }
    Err(StoreError::Fenced { lease: fence.lease.clone(), epoch: fence.epoch })
}
