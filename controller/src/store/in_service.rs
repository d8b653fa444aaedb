//! Which version of the model is in service, as an operator wants it: put back, pinned, let go again.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::{Store, StoreError, error::During, models::ModelStatus, row::ms};

/// Why a version cannot be put in service.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("there is no version {0} of the model")]
    Unknown(u64),
    #[error("version {version} was rejected: {detail}")]
    Rejected { version: u64, detail: String },
    #[error(
        "the profiles of version {0} are no longer kept and cannot be made again; only the last versions that served \
         can be put back"
    )]
    Pruned(u64),
    #[error("the weights of version {0} are of another version of Reveille")]
    Unreadable(u64),
    #[error("nothing is in service yet")]
    Nothing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key under which the record of changes of policy keeps what was done to the model.
const RECORD_KEY: &str = "model";

impl Store {
    /// Puts a version in service and pins it, and records who did: all or nothing. It may be the one that serves.
    pub async fn model_serve(&self, version: u64, at: Timestamp, by: &str) -> Result<(), ServeError> {
        let row = self.model_get(version).await?.ok_or(ServeError::Unknown(version))?;
        if row.status == ModelStatus::Rejected {
            return Err(ServeError::Rejected { version, detail: row.detail });
        }
        if row.kind == crate::model::ModelKind::Fitted && row.fitted.is_none() {
            return Err(ServeError::Unreadable(version));
        }
        let mut tx = self.begin().await?;
        let kept: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM profiles WHERE version = ?)")
            .bind(version as i64)
            .fetch_one(&mut *tx)
            .await
            .during("look for the profiles of a version")?;
        if !kept {
            return Err(ServeError::Pruned(version));
        }
        let old = in_service(&mut tx).await?;
        sqlx::query("UPDATE models SET status = 'superseded', pinned = 0 WHERE status = 'serving'")
            .execute(&mut *tx)
            .await
            .during("retire the model in service")?;
        sqlx::query("UPDATE models SET status = 'serving', pinned = 1 WHERE version = ?")
            .bind(version as i64)
            .execute(&mut *tx)
            .await
            .during("put a version in service")?;
        let new = in_service(&mut tx).await?;
        record(&mut tx, at, by, old, new).await?;
        Ok(tx.commit().await.during("commit a version in service")?)
    }

    /// Lets newer versions take the place of the one in service again. Gives its number.
    pub async fn model_unpin(&self, at: Timestamp, by: &str) -> Result<u64, ServeError> {
        let mut tx = self.begin().await?;
        let old = in_service(&mut tx).await?;
        let Some((version, pinned)) = old else { return Err(ServeError::Nothing) };
        if pinned {
            sqlx::query("UPDATE models SET pinned = 0")
                .execute(&mut *tx)
                .await
                .during("unpin the model in service")?;
            let new = in_service(&mut tx).await?;
            record(&mut tx, at, by, old, new).await?;
        }
        tx.commit().await.during("commit an unpinned model")?;
        Ok(version as u64)
    }
}

/// Number of the version in service, and whether it is pinned.
async fn in_service(tx: &mut Transaction<'static, Sqlite>) -> Result<Option<(i64, bool)>, StoreError> {
    sqlx::query_as("SELECT version, pinned FROM models WHERE status = 'serving'")
        .fetch_optional(&mut **tx)
        .await
        .during("look for the model in service")
}

async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    at: Timestamp,
    by: &str,
    old: Option<(i64, bool)>,
    new: Option<(i64, bool)>,
) -> Result<(), StoreError> {
    let told = |version: Option<(i64, bool)>| match version {
        Some((version, true)) => format!("{version}, pinned"),
        Some((version, false)) => version.to_string(),
        None => "none".into(),
    };
    let sql = "INSERT INTO policy_changes (changed_at, changed_by, key, old_value, new_value) VALUES (?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(ms(at))
        .bind(by)
        .bind(RECORD_KEY)
        .bind(told(old))
        .bind(told(new))
        .execute(&mut **tx)
        .await
        .during("record who put a version in service")
        .map(drop)
}
