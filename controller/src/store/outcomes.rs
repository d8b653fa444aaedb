//! Table `outcomes`: what each wake was good for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::WakeId;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    rows,
};
use crate::{
    outcome::{Outcome, Verdict},
    report::effect::Told,
};

/// The verdict on one wake.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeRow {
    pub outcome: Outcome,
    pub judged_at: Timestamp,
}

type Row = (String, String, Option<i64>, f64, f64, f64, i64);

fn from_row(
    (id, verdict, arrived_at, idle_s, waited_s, saved_s, judged_at): Row,
) -> Result<OutcomeRow, StoreError> {
    let at = Place { table: "outcomes", row: &id };
    let arrived = || -> Result<Timestamp, StoreError> {
        at.time_opt("arrived_at", arrived_at)?.ok_or_else(|| at.bad("arrived_at is missing"))
    };
    let verdict = match verdict.as_str() {
        "used" => Verdict::Used { arrived_at: arrived()? },
        "missed" => Verdict::Missed { arrived_at: arrived()? },
        "unused" => Verdict::Unused,
        "failed" => Verdict::Failed,
        other => return Err(at.bad(format!("verdict {other:?} is unknown"))),
    };
    Ok(OutcomeRow {
        outcome: Outcome { wake: at.parse("wake_id", &id)?, verdict, idle_s, waited_s, saved_s },
        judged_at: at.time("judged_at", judged_at)?,
    })
}

impl Store {
    /// Keeps a verdict; the first one stands.
    pub async fn outcome_keep(&self, row: &OutcomeRow) -> Result<(), StoreError> {
        let outcome = &row.outcome;
        let sql = "INSERT INTO outcomes (wake_id, verdict, arrived_at, idle_s, waited_s, saved_s, judged_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        sqlx::query(sql)
            .bind(outcome.wake.to_string())
            .bind(outcome.verdict.code())
            .bind(outcome.verdict.arrived_at().map(ms))
            .bind(outcome.idle_s)
            .bind(outcome.waited_s)
            .bind(outcome.saved_s)
            .bind(ms(row.judged_at))
            .execute(&self.pool)
            .await
            .during("keep a verdict")
            .map(|_| ())
    }

    /// Verdicts on wakes created in `[from, to)`, in order of wake.
    pub async fn outcomes_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<OutcomeRow>, StoreError> {
        let sql = "SELECT o.wake_id, verdict, arrived_at, idle_s, waited_s, saved_s, judged_at FROM outcomes o \
                   JOIN wakes w USING (wake_id) WHERE w.created_at >= $1 AND w.created_at < $2 ORDER BY o.wake_id";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read verdicts")?;
        rows.into_iter().map(from_row).collect()
    }

    /// What verdicts say of arrivals in `[from, to)`, in order of instance and arrival.
    pub async fn outcomes_of_arrivals(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Told>, StoreError> {
        let sql = "SELECT w.instance_id, arrived_at, CASE WHEN verdict = 'used' AND reason = 'forecast' THEN 1 ELSE 0 END, \
                   waited_s FROM outcomes \
                   JOIN wakes w USING (wake_id) WHERE arrived_at >= $1 AND arrived_at < $2 ORDER BY 1, 2, wake_id";
        let rows: Vec<(String, i64, i64, f64)> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read what verdicts say of arrivals")?;
        let read = rows.into_iter().map(|(id, arrived_at, served, waited_s)| {
            let at = Place { table: "outcomes", row: &id };
            let (instance, arrived_at) = (at.parse("instance_id", &id)?, at.time("arrived_at", arrived_at)?);
            Ok(Told { instance, arrived_at, served: served == 1, waited_s })
        });
        read.collect()
    }

    /// Verdicts on these wakes, as far as there are any.
    pub async fn outcomes_of(&self, wakes: &[WakeId]) -> Result<BTreeMap<WakeId, OutcomeRow>, StoreError> {
        let sql = format!(
            "SELECT wake_id, verdict, arrived_at, idle_s, waited_s, saved_s, judged_at FROM outcomes WHERE wake_id IN {}",
            rows::ids(self.backend)
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(rows::ids_json(wakes))
            .fetch_all(&self.pool)
            .await
            .during("read the verdicts on wakes")?;
        rows.into_iter().map(|row| from_row(row).map(|row| (row.outcome.wake, row))).collect()
    }
}
