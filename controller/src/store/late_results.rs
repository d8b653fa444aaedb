//! Table `late_results`: what agents said of wakes that were over by then. It changes nothing, and is there to be read.

use jiff::Timestamp;
use reveille_proto::{
    WakeId,
    edge::{AttemptResult, Outcome},
};

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    rows::plain,
};

/// A result that came too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateResult {
    pub attempt: u32,
    /// When it came.
    pub at: Timestamp,
    /// How the attempt ended, by its agent.
    pub outcome: String,
    /// First seen serving.
    pub serving_at: Option<Timestamp>,
    pub detail: String,
}

fn named(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Woken => "woken",
        Outcome::AlreadyAwake => "already_awake",
        Outcome::Refused => "refused",
        Outcome::Failed | Outcome::Unspecified => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
    }
}

impl Store {
    /// Keeps the result of the last attempt of a wake that something else has ended. One that did end it, and is only
    /// repeated, is not late; of several the first stands. Returns whether it was kept.
    pub async fn late_result_keep(&self, result: &AttemptResult, at: Timestamp) -> Result<bool, StoreError> {
        let sql = "INSERT INTO late_results (wake_id, attempt, at, outcome, serving_at, detail) \
                   SELECT wake_id, attempt, CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS TEXT) \
                   FROM wakes WHERE wake_id = $1 AND attempt = $2 AND ended_at IS NOT NULL \
                   AND NOT EXISTS (SELECT 1 FROM transitions WHERE transitions.wake_id = wakes.wake_id \
                   AND event = 'result' AND to_state = 'ended') ON CONFLICT DO NOTHING";
        let done = sqlx::query(sql)
            .bind(result.wake.to_string())
            .bind(i64::from(result.attempt))
            .bind(ms(at))
            .bind(named(result.outcome))
            .bind(result.serving_at.map(ms))
            .bind(plain(&result.detail))
            .execute(&self.pool)
            .await
            .during("keep a late result")?;
        Ok(done.rows_affected() == 1)
    }

    /// In order of their attempts.
    pub async fn late_results_of(&self, wake: WakeId) -> Result<Vec<LateResult>, StoreError> {
        let sql = "SELECT attempt, at, outcome, serving_at, detail FROM late_results WHERE wake_id = $1 ORDER BY attempt";
        let id = wake.to_string();
        let rows: Vec<(i64, i64, String, Option<i64>, String)> = sqlx::query_as(sql)
            .bind(&id)
            .fetch_all(&self.pool)
            .await
            .during("read late results of a wake")?;
        let place = Place { table: "late_results", row: &id };
        let read = rows.into_iter().map(|(attempt, at, outcome, serving_at, detail)| {
            Ok(LateResult {
                attempt: attempt as u32,
                at: place.time("at", at)?,
                outcome,
                serving_at: place.time_opt("serving_at", serving_at)?,
                detail,
            })
        });
        read.collect()
    }
}
