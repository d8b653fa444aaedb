//! The usual job loop on PostgreSQL, for comparison in `reveille bench queue`: each worker takes the first due job that
//! nobody else has locked, moves it, writes its story, and commits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

use super::{DatabaseUrl, StoreError, error::During};

/// Jobs inserted with one statement.
const INSERTED_AT_ONCE: i64 = 10_000;

/// A table of due jobs, as wide as a wake, beside the tables of the store.
#[derive(Debug)]
pub struct SkipLocked {
    pool: PgPool,
}

impl SkipLocked {
    /// Fills the table with `jobs` due jobs of `hosts` hosts.
    pub async fn fill(database: &DatabaseUrl, jobs: u32, hosts: u32) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(32)
            .connect(database.exposed())
            .await
            .during("connect the peer")?;
        let tables = "DROP TABLE IF EXISTS peer_jobs, peer_story; \
             CREATE TABLE peer_jobs (job_id TEXT PRIMARY KEY, instance_id TEXT NOT NULL, host_id TEXT NOT NULL, \
             priority BIGINT NOT NULL, due_at BIGINT NOT NULL, state TEXT NOT NULL, state_data TEXT NOT NULL, \
             dispatched_at BIGINT, moves BIGINT NOT NULL DEFAULT 0, detail TEXT NOT NULL); \
             CREATE INDEX peer_queued ON peer_jobs (priority, due_at, job_id) WHERE state = 'queued'; \
             CREATE TABLE peer_story (job_id TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, event TEXT NOT NULL, \
             from_state TEXT NOT NULL, to_state TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (job_id, seq))";
        sqlx::raw_sql(AssertSqlSafe(tables.to_owned()))
            .execute(&pool)
            .await
            .during("make the peer's tables")?;
        let mut from = 0;
        while from < i64::from(jobs) {
            let to = (from + INSERTED_AT_ONCE).min(jobs.into());
            sqlx::query(
                "INSERT INTO peer_jobs (job_id, instance_id, host_id, priority, due_at, state, state_data, detail) \
                 SELECT md5(n::text), 'instance-' || n, 'host-' || n % $3, 2, n, 'queued', \
                 '{\"state\":\"queued\",\"attempt\":1,\"failures\":0}', 'waits for its time' \
                 FROM generate_series($1, $2 - 1) AS n",
            )
            .bind(from)
            .bind(to)
            .bind(i64::from(hosts))
            .execute(&pool)
            .await
            .during("fill the peer's queue")?;
            from = to;
        }
        sqlx::raw_sql("ANALYZE peer_jobs").execute(&pool).await.during("analyze the peer's queue")?;
        Ok(Self { pool })
    }

    /// Jobs done per second by so many workers in about `span`.
    pub async fn jobs_per_s(&self, workers: u32, span: Duration) -> Result<f64, StoreError> {
        let (done, began) = (Arc::new(AtomicU64::new(0)), tokio::time::Instant::now());
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..workers {
            let (pool, done) = (self.pool.clone(), Arc::clone(&done));
            running.spawn(async move {
                while began.elapsed() < span && one_job(&pool).await? {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), StoreError>(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap_or(Ok(()))?;
        }
        Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
    }
}

/// `false` when there is none left.
async fn one_job(pool: &PgPool) -> Result<bool, StoreError> {
    let mut tx = pool.begin().await.during("begin a job")?;
    let job: Option<(String, i64)> = sqlx::query_as(
        "SELECT job_id, moves FROM peer_jobs WHERE state = 'queued' AND due_at <= $1 \
         ORDER BY priority, due_at, job_id LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(i64::MAX)
    .fetch_optional(&mut *tx)
    .await
    .during("take a job")?;
    let Some((job, moves)) = job else { return Ok(false) };
    sqlx::query(
        "UPDATE peer_jobs SET state = 'dispatched', state_data = $2, dispatched_at = $3, moves = moves + 1, \
         detail = 'sent' WHERE job_id = $1",
    )
    .bind(&job)
    .bind("{\"state\":\"dispatched\",\"attempt\":1,\"failures\":0}")
    .bind(moves)
    .execute(&mut *tx)
    .await
    .during("move a job")?;
    sqlx::query("INSERT INTO peer_story VALUES ($1, $2, $3, 'dispatch', 'queued', 'dispatched', 'sent')")
        .bind(&job)
        .bind(moves + 2)
        .bind(moves)
        .execute(&mut *tx)
        .await
        .during("write a job's story")?;
    tx.commit().await.during("commit a job")?;
    Ok(true)
}
