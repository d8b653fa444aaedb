//! Table `visits`: sightings are folded in, so that reading a log twice changes nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;
use serde::Serialize;

use super::{
    Store, StoreError, Tx, activity,
    error::During,
    instances,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT},
    sources,
};
use crate::{
    logs::Batch,
    visits::{Sighting, Visit, fold, reach},
};

type Row = (String, i64, i64, Option<i64>);

fn from_row((instance_id, arrived_at, departed_at, asked_at): Row) -> Result<Visit, StoreError> {
    let row = format!("{instance_id}@{arrived_at}");
    let at = Place { table: "visits", row: &row };
    Ok(Visit {
        instance: at.parse("instance_id", &instance_id)?,
        arrived_at: at.time("arrived_at", arrived_at)?,
        departed_at: at.time("departed_at", departed_at)?,
        asked_at: at.time_opt("asked_at", asked_at)?,
    })
}

const COLUMNS: &str = "instance_id, arrived_at, departed_at, asked_at";

impl Store {
    /// Folds a batch of a log into visits and activity and keeps how far the log was read, all or nothing.
    pub async fn visits_absorb(
        &self,
        batch: &Batch,
        gap: SignedDuration,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.retried(|| self.absorb(batch, gap, at)).await
    }

    async fn absorb(&self, batch: &Batch, gap: SignedDuration, at: Timestamp) -> Result<(), StoreError> {
        let mut by_instance: BTreeMap<&InstanceId, Vec<Sighting>> = BTreeMap::new();
        for sighting in &batch.sightings {
            by_instance.entry(&sighting.instance).or_default().push(sighting.clone());
        }
        let mut tx = self.begin().await?;
        for (instance, sightings) in by_instance {
            absorb_one(&mut tx, instance, &sightings, gap).await?;
        }
        sources::advance(&mut tx, &batch.source, &batch.position, &batch.counts, at).await?;
        tx.commit().await.during("commit a batch of a log")
    }

    /// Visits that arrived in `[from, to)`, in order of instance and arrival.
    pub async fn visits_between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Visit>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM visits WHERE arrived_at >= $1 AND arrived_at < $2 ORDER BY instance_id, arrived_at"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read visits")?;
        rows.into_iter().map(from_row).collect()
    }

    /// Calls `each` with every instance that was seen and all its visits, in order. One instance at a time is in memory.
    pub async fn visits_each(
        &self,
        each: &mut (dyn FnMut(InstanceId, &[Visit]) + Send),
    ) -> Result<(), StoreError> {
        use futures::TryStreamExt;
        let sql = format!("SELECT {COLUMNS} FROM visits ORDER BY instance_id, arrived_at");
        let mut rows = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(sql)).fetch(&self.pool);
        let mut visits: Vec<Visit> = Vec::new();
        while let Some(row) = rows.try_next().await.during("read all visits")? {
            let visit = from_row(row)?;
            if let Some(last) = visits.last().filter(|last| last.instance != visit.instance) {
                each(last.instance.clone(), &visits);
                visits.clear();
            }
            visits.push(visit);
        }
        if let Some(last) = visits.last() {
            each(last.instance.clone(), &visits);
        }
        Ok(())
    }

    /// For each of `spans` the visits of its instance that touch it, in order.
    pub async fn visits_within(&self, spans: &[VisitSpan]) -> Result<Vec<Vec<Visit>>, StoreError> {
        let columns =
            [("place", Kind::Int), ("instance_id", Kind::Text), ("from_ms", Kind::Int), ("to_ms", Kind::Int)];
        let sql = format!(
            "SELECT place, visits.instance_id, arrived_at, departed_at, asked_at FROM {} AS spans JOIN visits \
             ON visits.instance_id = spans.instance_id AND departed_at >= from_ms AND arrived_at <= to_ms \
             ORDER BY place, arrived_at",
            rows::table(self.backend, &columns)
        );
        let mut visits: Vec<Vec<Visit>> = spans.iter().map(|_| Vec::new()).collect();
        for (chunk, some) in spans.chunks(ROWS_PER_STATEMENT).enumerate() {
            let numbered = some.iter().enumerate().map(|(place, span)| Numbered {
                place: chunk * ROWS_PER_STATEMENT + place,
                instance_id: &span.instance,
                from_ms: ms(span.from),
                to_ms: ms(span.to),
            });
            let found: Vec<(i64, String, i64, i64, Option<i64>)> =
                sqlx::query_as(sqlx::AssertSqlSafe(sql.clone()))
                    .bind(rows::json(&numbered.collect::<Vec<_>>()))
                    .fetch_all(&self.pool)
                    .await
                    .during("read the visits of instances")?;
            for (place, instance, arrived_at, departed_at, asked_at) in found {
                let visit = from_row((instance, arrived_at, departed_at, asked_at))?;
                if let Some(of_span) = visits.get_mut(place as usize) {
                    of_span.push(visit);
                }
            }
        }
        Ok(visits)
    }
}

/// Whose visits, from when to when.
#[derive(Debug, Clone)]
pub struct VisitSpan {
    pub instance: InstanceId,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// A span as the database reads it.
#[derive(Serialize)]
struct Numbered<'a> {
    place: usize,
    instance_id: &'a InstanceId,
    from_ms: i64,
    to_ms: i64,
}

async fn absorb_one(
    tx: &mut Tx,
    instance: &InstanceId,
    sightings: &[Sighting],
    gap: SignedDuration,
) -> Result<(), StoreError> {
    let times = sightings.iter().map(|s| s.at);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(()) };
    let Some((from, until)) = reach(sightings, gap) else { return Ok(()) };
    // First of all: whoever else folds visits of this instance waits for the row until the commit.
    instances::seen(tx, instance, first, last).await?;
    let sql = format!(
        "SELECT {COLUMNS} FROM visits WHERE instance_id = $1 AND departed_at >= $2 AND arrived_at <= $3 ORDER BY arrived_at"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(instance.as_str())
        .bind(ms(from))
        .bind(ms(until))
        .fetch_all(&mut **tx)
        .await
        .during("read the visits a batch touches")?;
    let existing = rows.into_iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    let change = fold(instance, &existing, sightings, gap);
    for (instance, arrived_at) in &change.deletions {
        sqlx::query("DELETE FROM visits WHERE instance_id = $1 AND arrived_at = $2")
            .bind(instance.as_str())
            .bind(ms(*arrived_at))
            .execute(&mut **tx)
            .await
            .during("merge visits")?;
    }
    for visit in &change.upserts {
        let sql = "INSERT INTO visits (instance_id, arrived_at, departed_at, asked_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (instance_id, arrived_at) DO UPDATE SET departed_at = $3, asked_at = $4";
        sqlx::query(sql)
            .bind(visit.instance.as_str())
            .bind(ms(visit.arrived_at))
            .bind(ms(visit.departed_at))
            .bind(visit.asked_at.map(ms))
            .execute(&mut **tx)
            .await
            .during("keep a visit")?;
    }
    activity::absorb(tx, instance, sightings).await
}
