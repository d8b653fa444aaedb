//! One connection that stays out of the pool, for a program whose thread waits in place for its database.
//!
//! Nobody else asks between a question and its answer there, so one connection serves all. A pool takes each back on another
//! thread and pings it first, which is dearer than most answers are.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use reveille_proto::waits::Waits;
use sqlx::{AnyConnection, AnyPool};

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Option<AnyConnection>>>);

impl Kept {
    /// The one that is kept, or one of the pool that will not come back to it.
    pub(super) async fn take(&self, pool: &AnyPool) -> Result<AnyConnection, sqlx::Error> {
        match self.taken() {
            Some(connection) => Ok(connection),
            None => Ok(pool.acquire().await?.detach()),
        }
    }

    fn taken(&self) -> Option<AnyConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whoever asks next may have it.
    pub(super) fn keep(&self, connection: AnyConnection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(connection);
    }

    /// Closes it; the pool can give another.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.taken() {
            // Whatever comes of it, it is not used again.
            sqlx::Connection::close(connection).await.ok();
        }
    }
}

/// A transaction on the connection that is kept. Dropped before it is over, it is rolled back.
#[derive(Debug)]
pub(super) struct Begun {
    /// None once it is over.
    connection: Option<AnyConnection>,
    kept: Kept,
    waits: Waits,
}

impl Begun {
    pub(super) async fn begin(
        (kept, pool): (&Kept, &AnyPool),
        statement: &'static str,
        waits: &Waits,
    ) -> Result<Self, sqlx::Error> {
        let mut connection = kept.take(pool).await?;
        // One that fails is not kept: it may be in the middle of anything.
        sqlx::query(statement).execute(&mut connection).await?;
        Ok(Self { connection: Some(connection), kept: kept.clone(), waits: waits.clone() })
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        sqlx::query("COMMIT").execute(&mut connection).await?;
        self.kept.keep(connection);
        Ok(())
    }

    pub(super) fn connection(&self) -> &AnyConnection {
        self.connection.as_ref().expect("it is there until it is over")
    }

    pub(super) fn connection_mut(&mut self) -> &mut AnyConnection {
        self.connection.as_mut().expect("it is there until it is over")
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let undone = self.waits.until(sqlx::query("ROLLBACK").execute(&mut connection)).now_or_never();
        // Who waits in place has the answer now; one that is not undone is closed, which undoes it as well.
        if matches!(undone, Some(Ok(_))) {
            self.kept.keep(connection);
        }
    }
}
