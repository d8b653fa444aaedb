//! A transaction that lost against another one is simply run again, a bounded number of times.

use std::time::Duration;

use super::{Store, StoreError, error::During};

/// How long to wait before each further attempt.
const WAITS_MS: [u64; 6] = [1, 5, 20, 50, 150, 400];

/// PostgreSQL: serialization failure, deadlock, a row that somebody else put there meanwhile, which the next attempt
/// finds, and a transaction that stood still for too long. SQLite: busy, and busy because what was read is of yesterday.
const CONTENTION: [&str; 6] = ["40001", "40P01", "23505", "25P03", "5", "517"];

/// Whether an error may be gone when the same work is done again.
pub(super) trait Contended {
    fn is_contention(&self) -> bool;
}

impl Contended for StoreError {
    fn is_contention(&self) -> bool {
        if matches!(self, Self::Overtaken) {
            return true;
        }
        let Self::Query { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| CONTENTION.contains(&&*code))
    }
}

impl Store {
    /// Does `work`, which is one whole transaction, until it is not in anybody's way.
    pub(super) async fn retried<T, E, F>(&self, mut work: impl FnMut() -> F) -> Result<T, E>
    where
        E: Contended + From<StoreError>,
        F: Future<Output = Result<T, E>>,
    {
        for wait_ms in WAITS_MS {
            match self.once(work()).await {
                Err(error) if error.is_contention() => {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
                done => return done,
            }
        }
        self.once(work()).await
    }

    async fn once<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        // A transaction is a large thing to carry around.
        self.pool.finished(Box::pin(work)).await.during("finish a transaction")?
    }
}
