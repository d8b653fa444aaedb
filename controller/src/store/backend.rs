//! The few things the two databases say differently.

use super::{StoreError, Tx, error::During};

/// Number of the lock on the sessions of hosts: `reveille` in ASCII.
const SESSIONS_LOCK: i64 = i64::from_be_bytes(*b"reveille");

/// Which database is spoken to. Both take `$1`; the types used are BIGINT, DOUBLE PRECISION, TEXT and BYTEA.
///
/// Two rules the driver for both sets: an optional float is never bound (its NULL would make PostgreSQL prepare the
/// statement with a `float4`, and the next value would not fit), it goes in as JSON (see [`super::rows`]); and integers
/// are bound as `i64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Begins a transaction in which what was read stays true. SQLite takes the write lock at once; PostgreSQL locks
    /// the rows that are read with [`Self::for_update`].
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Behind a SELECT of rows that will be changed.
    pub(super) fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Keeps all sessions of hosts as they are until the commit, together with others who do the same. One lock for all
    /// of them: locking two thousand rows would cost as much as moving two thousand wakes.
    pub(super) async fn keep_sessions(self, tx: &mut Tx) -> Result<(), StoreError> {
        match self {
            // The transaction is the only writer.
            Self::Sqlite => Ok(()),
            Self::Postgres => {
                advise(tx, "SELECT CAST(pg_advisory_xact_lock_shared($1) AS TEXT)", "keep sessions").await
            }
        }
    }

    /// Waits until nobody keeps sessions as they are, and lets nobody until the commit.
    pub(super) async fn change_sessions(self, tx: &mut Tx) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres => {
                advise(tx, "SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)", "change sessions").await
            }
        }
    }

    /// Behind a SELECT of rows that must stay as they are until the commit.
    pub(super) fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// A table of the elements of the JSON array in parameter `number`; its column is `value`.
    pub(super) fn elements(self, number: u32) -> String {
        match self {
            // Each element is parsed once, not once per column; the limit keeps the two queries from becoming one again.
            Self::Sqlite => format!("(SELECT jsonb(value) AS value FROM json_each(${number}) LIMIT -1)"),
            Self::Postgres => format!("json_array_elements(CAST(${number} AS JSON))"),
        }
    }
}

async fn advise(tx: &mut Tx, sql: &'static str, doing: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).bind(SESSIONS_LOCK).execute(&mut **tx).await.during(doing).map(drop)
}
