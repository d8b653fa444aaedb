//! Opening, migrating, counting epochs.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{StoreError, error::During, row::ms};

/// Connections to the file; writers take turns anyway.
const CONNECTIONS_MAX: u32 = 4;
/// How long a writer waits for its turn.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes a new database file for its owner only; SQLite gives its companions the same permissions.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: SqlitePool,
}

impl Store {
    /// Opens the file, makes it where there is none, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        keep_private(path).map_err(|e| StoreError::Open { path: shown.clone(), source: e.into() })?;
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Open { path: shown.clone(), source })?;
        let migrated = sqlx::migrate!().run(&pool).await;
        migrated.map_err(|source| StoreError::Migrate { path: shown, source })?;
        Ok(Self { pool })
    }

    /// A transaction that holds the write lock from its start, so that what it read stays true.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.during("begin a transaction")
    }

    /// A number higher than that of every controller that used this database before.
    pub async fn epoch_begin(&self, at: Timestamp, version: &str) -> Result<u64, StoreError> {
        let done = sqlx::query("INSERT INTO epochs (started_at, version) VALUES (?, ?)")
            .bind(ms(at))
            .bind(version)
            .execute(&self.pool)
            .await
            .during("begin an epoch")?;
        Ok(done.last_insert_rowid() as u64)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.during("reach the database").map(|_| ())
    }

    /// Waits until every connection is given back, then closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
