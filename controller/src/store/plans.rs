//! Tables `plans`, `planned`, `omissions`: reading what was chosen, what was left out, and why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId};

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};

/// A plan's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    pub plan_id: i64,
    pub made_at: Timestamp,
    pub horizon_end: Timestamp,
    pub mode: String,
    pub model_version: u64,
    pub wakes: u64,
    pub omissions: u64,
    /// Omissions by reason.
    pub omitted: BTreeMap<String, u64>,
}

/// A wake some plan chose.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRow {
    pub instance: InstanceId,
    pub host: HostId,
    pub plan_id: i64,
    pub due_at: Timestamp,
    /// The clock hour it was forecast for.
    pub hour_at: Timestamp,
    pub serve_at: Timestamp,
    pub expires_at: Timestamp,
    pub probability: f64,
    /// Hours it was expected to be awake without its user; `None` where the model did not say.
    pub idle_h: Option<f64>,
    /// Seconds of waiting it was expected to spare its user; `None` where the model did not say.
    pub saved_s: Option<f64>,
    pub why: String,
    /// The wake it became; none in forecast-only mode.
    pub wake: Option<WakeId>,
}

/// An instance the newest plan left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmissionRow {
    pub instance: InstanceId,
    pub code: String,
    pub detail: String,
}

impl Store {
    pub async fn plan_newest(&self) -> Result<Option<PlanRow>, StoreError> {
        type Row = (i64, i64, i64, String, i64, i64, i64, String);
        let sql = "SELECT plan_id, made_at, horizon_end, mode, model_version, wakes, omissions, omitted FROM plans \
                   ORDER BY plan_id DESC LIMIT 1";
        let row: Option<Row> =
            sqlx::query_as(sql).fetch_optional(&self.pool).await.during("read the newest plan")?;
        let Some((plan_id, made_at, horizon_end, mode, version, wakes, omissions, omitted)) = row else {
            return Ok(None);
        };
        let name = plan_id.to_string();
        let at = Place { table: "plans", row: &name };
        Ok(Some(PlanRow {
            plan_id,
            made_at: at.time("made_at", made_at)?,
            horizon_end: at.time("horizon_end", horizon_end)?,
            mode,
            model_version: version as u64,
            wakes: wakes as u64,
            omissions: omissions as u64,
            omitted: at.json("omitted", &omitted)?,
        }))
    }

    /// What was planned is taken back: a later plan may choose it anew.
    pub async fn planned_forget(&self, wake: WakeId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM planned WHERE wake_id = $1")
            .bind(wake.to_string())
            .execute(&self.pool)
            .await
            .during("take back what was planned")
            .map(drop)
    }

    /// Planned wakes that are to serve in `[from, to)`, in order of time.
    pub async fn planned_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PlannedRow>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            instance_id: String,
            hour_at: i64,
            serve_at: i64,
            plan_id: i64,
            host_id: String,
            due_at: i64,
            expires_at: i64,
            probability: f64,
            idle_h: Option<f64>,
            saved_s: Option<f64>,
            why: String,
            wake_id: Option<String>,
        }
        let sql = "SELECT instance_id, hour_at, serve_at, plan_id, host_id, due_at, expires_at, probability, idle_h, saved_s, \
                   why, wake_id FROM planned WHERE serve_at >= $1 AND serve_at < $2 ORDER BY serve_at, instance_id";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read planned wakes")?;
        let read = rows.into_iter().map(|row| {
            let at = Place { table: "planned", row: &row.instance_id };
            Ok(PlannedRow {
                instance: at.parse("instance_id", &row.instance_id)?,
                host: at.parse("host_id", &row.host_id)?,
                plan_id: row.plan_id,
                due_at: at.time("due_at", row.due_at)?,
                hour_at: at.time("hour_at", row.hour_at)?,
                serve_at: at.time("serve_at", row.serve_at)?,
                expires_at: at.time("expires_at", row.expires_at)?,
                probability: row.probability,
                idle_h: row.idle_h,
                saved_s: row.saved_s,
                wake: at.parse_opt("wake_id", row.wake_id.as_deref())?,
                why: row.why,
            })
        });
        read.collect()
    }

    /// Why the newest plan left an instance out; none when it did not, or only because it is not expected or awake.
    pub async fn omission_of(&self, instance: &InstanceId) -> Result<Option<OmissionRow>, StoreError> {
        let sql = "SELECT code, detail FROM omissions WHERE instance_id = $1";
        let row: Option<(String, String)> = sqlx::query_as(sql)
            .bind(instance.as_str())
            .fetch_optional(&self.pool)
            .await
            .during("read an omission")?;
        Ok(row.map(|(code, detail)| OmissionRow { instance: instance.clone(), code, detail }))
    }

    /// What the newest plan left out, and would be asked about (see [`crate::plan::Passed`]), in order of instance, after `after`; `limit` 0 is all.
    pub async fn omissions_list(
        &self,
        after: Option<&InstanceId>,
        limit: u32,
    ) -> Result<Vec<OmissionRow>, StoreError> {
        let limit = if limit == 0 { i64::MAX } else { i64::from(limit) };
        let sql = "SELECT instance_id, code, detail FROM omissions WHERE instance_id > $1 ORDER BY instance_id LIMIT $2";
        let rows: Vec<(String, String, String)> = sqlx::query_as(sql)
            .bind(after.map_or("", InstanceId::as_str))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .during("read omissions")?;
        let read = rows.into_iter().map(|(id, code, detail)| {
            let instance = Place { table: "omissions", row: &id }.parse("instance_id", &id)?;
            Ok(OmissionRow { instance, code, detail })
        });
        read.collect()
    }
}
