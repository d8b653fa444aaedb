//! Tables `models` and `profiles`: versions of what was learned. One serves; the one before stays at hand.

use jiff::Timestamp;
use reveille_proto::InstanceId;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};
use crate::model::{HourProfile, Metrics, Rule};

/// Versions whose profiles are kept.
const VERSIONS_KEPT: i64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStatus {
    Serving,
    /// Served once; can be put back.
    Superseded,
    /// Did not pass validation; `detail` says why.
    Rejected,
}

impl ModelStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
        }
    }
}

/// A version of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Set by the database when published.
    pub version: u64,
    pub status: ModelStatus,
    pub trained_at: Timestamp,
    pub data_from: Option<Timestamp>,
    pub data_to: Option<Timestamp>,
    pub instances: u64,
    pub rule: Rule,
    pub metrics: Metrics,
    pub detail: String,
}

type Row = (i64, String, i64, Option<i64>, Option<i64>, i64, String, String, String);
const COLUMNS: &str = "version, status, trained_at, data_from, data_to, instances, rule, metrics, detail";

fn from_row(row: Row) -> Result<ModelRow, StoreError> {
    let (version, status, trained_at, data_from, data_to, instances, rule, metrics, detail) = row;
    let name = version.to_string();
    let at = Place { table: "models", row: &name };
    let known = [ModelStatus::Serving, ModelStatus::Superseded, ModelStatus::Rejected];
    Ok(ModelRow {
        version: version as u64,
        status: known
            .into_iter()
            .find(|s| s.as_str() == status)
            .ok_or_else(|| at.bad(format!("status {status:?} is unknown")))?,
        trained_at: at.time("trained_at", trained_at)?,
        data_from: at.time_opt("data_from", data_from)?,
        data_to: at.time_opt("data_to", data_to)?,
        instances: instances as u64,
        rule: at.json("rule", &rule)?,
        metrics: at.json("metrics", &metrics)?,
        detail,
    })
}

impl Store {
    /// Keeps a version. A serving one replaces the one in service in the same commit, profiles and all.
    pub async fn model_publish(
        &self,
        model: &ModelRow,
        profiles: &[(InstanceId, HourProfile)],
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        if model.status == ModelStatus::Serving {
            sqlx::query("UPDATE models SET status = 'superseded' WHERE status = 'serving'")
                .execute(&mut *tx)
                .await
                .during("retire the model in service")?;
        }
        let sql = "INSERT INTO models (status, trained_at, data_from, data_to, instances, rule, metrics, detail) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let done = sqlx::query(sql)
            .bind(model.status.as_str())
            .bind(ms(model.trained_at))
            .bind(model.data_from.map(ms))
            .bind(model.data_to.map(ms))
            .bind(model.instances as i64)
            .bind(serde_json::to_string(&model.rule).expect("a rule is plain data"))
            .bind(serde_json::to_string(&model.metrics).expect("metrics are plain data"))
            .bind(&model.detail)
            .execute(&mut *tx)
            .await
            .during("keep a model")?;
        let version = done.last_insert_rowid();
        for (instance, profile) in profiles {
            sqlx::query("INSERT INTO profiles (version, instance_id, profile) VALUES (?, ?, ?)")
                .bind(version)
                .bind(instance.as_str())
                .bind(profile.encode())
                .execute(&mut *tx)
                .await
                .during("keep a profile")?;
        }
        sqlx::query("DELETE FROM profiles WHERE version <= ? AND version NOT IN (SELECT version FROM models WHERE status = 'serving')")
            .bind(version - VERSIONS_KEPT)
            .execute(&mut *tx)
            .await
            .during("prune old profiles")?;
        tx.commit().await.during("commit a model")?;
        Ok(version as u64)
    }

    pub async fn model_serving(&self) -> Result<Option<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE status = 'serving'");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_optional(&self.pool)
            .await
            .during("read the model in service")?;
        row.map(from_row).transpose()
    }

    /// Newest first.
    pub async fn models_list(&self, limit: u32) -> Result<Vec<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM models ORDER BY version DESC LIMIT ?");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .during("list models")?;
        rows.into_iter().map(from_row).collect()
    }

    /// When versions were put in service in `[from, to)`, in order of time.
    pub async fn models_served_at(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let sql = "SELECT trained_at FROM models WHERE status != 'rejected' AND trained_at >= ? AND trained_at < ? \
                   ORDER BY trained_at";
        let rows: Vec<i64> = sqlx::query_scalar(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read when models were put in service")?;
        rows.into_iter().map(|at| Place { table: "models", row: "served" }.time("trained_at", at)).collect()
    }

    /// The profiles of a version, in order of instance.
    pub async fn profiles_of(&self, version: u64) -> Result<Vec<(InstanceId, HourProfile)>, StoreError> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT instance_id, profile FROM profiles WHERE version = ? ORDER BY instance_id",
        )
        .bind(version as i64)
        .fetch_all(&self.pool)
        .await
        .during("read profiles")?;
        let read = rows.into_iter().map(|(id, blob)| {
            let at = Place { table: "profiles", row: &id };
            let profile = HourProfile::decode(&blob).map_err(|e| at.bad(format!("profile {e}")))?;
            Ok((at.parse("instance_id", &id)?, profile))
        });
        read.collect()
    }
}
