//! Tables `plans`, `planned`, `omissions`: keeping a plan, all or nothing.

use std::collections::BTreeMap;

use reveille_proto::{HostId, InstanceId};
use serde::Serialize;

use super::{
    Backend, Store, StoreError, Tx,
    error::During,
    held_out,
    leases::{Fence, fenced},
    row::ms,
    rows::{self, Kind, ROWS_PER_STATEMENT},
};
use crate::{
    notify::Notice,
    plan::{Omission, PlannedWake, WakePlan},
};

impl Store {
    /// Keeps a plan unless the fence has fallen. Returns its id.
    pub async fn plan_keep(&self, plan: &WakePlan, fence: Option<&Fence>) -> Result<i64, StoreError> {
        self.retried(|| self.keep_plan(plan, fence)).await
    }

    async fn keep_plan(&self, plan: &WakePlan, fence: Option<&Fence>) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        fenced(&mut tx, self.backend, fence).await?;
        let plan_id = header(&mut tx, plan).await?;
        for some in plan.wakes.chunks(ROWS_PER_STATEMENT) {
            planned(&mut tx, self.backend, plan_id, some).await?;
        }
        sqlx::query("DELETE FROM omissions").execute(&mut *tx).await.during("forget old omissions")?;
        for some in plan.omissions.chunks(ROWS_PER_STATEMENT) {
            omitted(&mut tx, self.backend, plan_id, some).await?;
        }
        held_out::keep(&mut tx, self.backend, plan_id, &plan.omissions).await?;
        if !self.receivers.is_empty() {
            self.notify_of(&mut tx, &Notice::of_plan(plan)).await?;
        }
        tx.commit().await.during("commit a plan")?;
        Ok(plan_id)
    }
}

async fn header(tx: &mut Tx, plan: &WakePlan) -> Result<i64, StoreError> {
    let mut omitted: BTreeMap<&str, u64> = BTreeMap::new();
    for omission in &plan.omissions {
        *omitted.entry(omission.reason.code()).or_default() += 1;
    }
    omitted.extend(plan.passed.by_code().into_iter().filter(|(_, count)| *count > 0));
    let sql = "INSERT INTO plans (made_at, horizon_end, mode, model_version, wakes, omissions, omitted, hold_out_share) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING plan_id";
    sqlx::query_scalar(sql)
        .bind(ms(plan.made_at))
        .bind(ms(plan.horizon_end))
        .bind(plan.mode.as_str())
        .bind(plan.model_version as i64)
        .bind(plan.wakes.len() as i64)
        .bind(plan.left_out() as i64)
        .bind(serde_json::to_string(&omitted).expect("keys are text"))
        .bind(plan.hold_out_share)
        .fetch_one(&mut **tx)
        .await
        .during("keep a plan")
}

#[derive(Serialize)]
struct PlannedRow<'a> {
    instance_id: &'a InstanceId,
    hour_at: i64,
    serve_at: i64,
    host_id: &'a HostId,
    due_at: i64,
    expires_at: i64,
    probability: f64,
    idle_h: Option<f64>,
    saved_s: Option<f64>,
    why: &'a str,
}

fn planned_row(wake: &PlannedWake) -> PlannedRow<'_> {
    PlannedRow {
        instance_id: &wake.instance,
        hour_at: ms(wake.hour_at),
        serve_at: ms(wake.serve_at),
        host_id: &wake.host,
        due_at: ms(wake.due_at),
        expires_at: ms(wake.expires_at),
        probability: wake.probability,
        idle_h: wake.idle_h,
        saved_s: wake.saved_s,
        why: &wake.why,
    }
}

/// An hour that an earlier plan chose stands as it is.
async fn planned(
    tx: &mut Tx,
    backend: Backend,
    plan_id: i64,
    wakes: &[PlannedWake],
) -> Result<(), StoreError> {
    let columns = [
        ("instance_id", Kind::Text),
        ("hour_at", Kind::Int),
        ("serve_at", Kind::Int),
        ("host_id", Kind::Text),
        ("due_at", Kind::Int),
        ("expires_at", Kind::Int),
        ("probability", Kind::Real),
        ("idle_h", Kind::Real),
        ("saved_s", Kind::Real),
        ("why", Kind::Text),
    ];
    let sql = format!(
        "INSERT INTO planned (plan_id, instance_id, hour_at, serve_at, host_id, due_at, expires_at, probability, idle_h, \
         saved_s, why) SELECT $2, instance_id, hour_at, serve_at, host_id, due_at, expires_at, probability, idle_h, \
         saved_s, why FROM {} AS chosen WHERE 1 = 1 ON CONFLICT DO NOTHING",
        rows::table(backend, &columns)
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rows::json(&wakes.iter().map(planned_row).collect::<Vec<_>>()))
        .bind(plan_id)
        .execute(&mut **tx)
        .await
        .during("keep planned wakes")
        .map(drop)
}

#[derive(Serialize)]
struct OmissionRow<'a> {
    instance_id: &'a InstanceId,
    code: &'static str,
    detail: String,
}

fn row_of(omission: &Omission) -> OmissionRow<'_> {
    OmissionRow {
        instance_id: &omission.instance,
        code: omission.reason.code(),
        detail: omission.reason.to_string(),
    }
}

async fn omitted(
    tx: &mut Tx,
    backend: Backend,
    plan_id: i64,
    omissions: &[Omission],
) -> Result<(), StoreError> {
    let columns = [("instance_id", Kind::Text), ("code", Kind::Text), ("detail", Kind::Text)];
    let sql = format!(
        "INSERT INTO omissions (plan_id, instance_id, code, detail) SELECT $2, instance_id, code, detail FROM {} AS left_out \
         WHERE 1 = 1 ON CONFLICT (instance_id) DO UPDATE SET plan_id = excluded.plan_id, code = excluded.code, \
         detail = excluded.detail",
        rows::table(backend, &columns)
    );
    // The last word on an instance stands; one statement cannot change a row twice.
    let last: BTreeMap<&InstanceId, &Omission> =
        omissions.iter().map(|omission| (&omission.instance, omission)).collect();
    let rows: Vec<_> = last.into_values().map(row_of).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rows::json(&rows))
        .bind(plan_id)
        .execute(&mut **tx)
        .await
        .during("keep omissions")
        .map(drop)
}
