//! What can go wrong with the store, with the table and row where known.

/// A failed store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to open the database {path}")]
    Open { path: String, source: sqlx::Error },
    #[error("failed to migrate the database {path}")]
    Migrate { path: String, source: sqlx::migrate::MigrateError },
    #[error("failed to {what}")]
    Query { what: &'static str, source: sqlx::Error },
    /// A row that should not exist: another program wrote it, or the file is damaged.
    #[error("bad row in table {table}, {row}: {problem}")]
    BadRow { table: &'static str, row: String, problem: String },
    #[error("{0}")]
    Wake(#[from] crate::wake::Illegal),
    #[error("there is no wake {0}")]
    NoWake(reveille_proto::WakeId),
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
