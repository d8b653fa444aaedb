//! What can go wrong with the store, with the table and row where known.

/// A failed store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to open the database {database}")]
    Open { database: String, source: sqlx::Error },
    #[error("failed to migrate the database {database}")]
    Migrate { database: String, source: sqlx::migrate::MigrateError },
    #[error(
        "controller {controller} uses the database, it was seen {age_s} s ago: stop it first, and wait a moment"
    )]
    InUse { controller: String, age_s: i64 },
    #[error("there is no version {0} of the tables")]
    NoMigration(i64),
    #[error("version {version} of the tables ({name}) cannot be taken back")]
    NoWayBack { version: i64, name: String },
    #[error("failed to {what}")]
    Query { what: &'static str, source: sqlx::Error },
    /// A row that should not exist: another program wrote it, or the file is damaged.
    #[error("bad row in table {table}, {row}: {problem}")]
    BadRow { table: &'static str, row: String, problem: String },
    #[error("{0}")]
    Wake(#[from] crate::wake::Illegal),
    #[error("there is no wake {0}")]
    NoWake(reveille_proto::WakeId),
    /// Another transaction was in between; the same work can be done again.
    #[error("others kept changing the same rows")]
    Overtaken,
    /// Somebody else leads by now: what this controller wanted to write is not written.
    #[error("the lease {lease} is no longer held under epoch {epoch}")]
    Fenced { lease: String, epoch: u64 },
}

impl StoreError {
    /// Whether the database is there and does not take this.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Query { source: sqlx::Error::Database(_), .. })
    }
}

/// Names what was being done when the database said no.
pub(crate) trait During<T> {
    fn during(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Query { what, source })
    }
}
