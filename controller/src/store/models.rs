//! Tables `models` and `profiles`: versions of what was learned. One serves; those before it stay at hand.

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;

use super::{
    Store, StoreError, Tx,
    error::During,
    in_service::in_service,
    leases::{Fence, fenced},
    row::{Place, ms},
};
use crate::model::{Fitted, HourProfile, Metrics, ModelKind, Profile, Rule};

/// Versions that served whose profiles are kept: only they can be put back.
const VERSIONS_KEPT: i64 = 3;

/// Versions whose weights are kept to be looked at.
const WEIGHTS_KEPT: i64 = 100;

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
    /// Why it was rejected, or why it has the weights it has.
    pub detail: String,
    pub kind: ModelKind,
    /// The weights of kind `fitted`. `None` too in lists, for versions of long ago, and when the weights kept are those
    /// of features this Reveille does not know.
    pub fitted: Option<Fitted>,
    /// Put in service by an operator: nothing takes its place by itself.
    pub pinned: bool,
}

/// What became of a version that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub version: u64,
    /// The pinned version whose place it did not take.
    pub held_by: Option<u64>,
    /// As it stands in the table.
    pub detail: String,
}

fn told_pinned(pinned: u64, detail: &str) -> String {
    let told = format!("version {pinned} is pinned");
    if detail.is_empty() { told } else { format!("{told}; {detail}") }
}

/// What was learned of one instance.
#[derive(Debug, Clone)]
pub struct Learned {
    pub instance: InstanceId,
    pub hours: HourProfile,
    /// Its last stays, for kind `fitted`.
    pub stays: Option<Profile>,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    version: i64,
    status: String,
    trained_at: i64,
    data_from: Option<i64>,
    data_to: Option<i64>,
    instances: i64,
    rule: String,
    metrics: String,
    detail: String,
    kind: String,
    fitted: Option<String>,
    pinned: i64,
}

const COLUMNS: &str =
    "version, status, trained_at, data_from, data_to, instances, rule, metrics, detail, kind, pinned";

/// Weights of other features than this Reveille computes are left out, not misread: another version of the program
/// wrote them, and the next training replaces them.
fn fitted_of(version: i64, json: Option<&str>) -> Option<Fitted> {
    let read = serde_json::from_str(json?);
    let told = |error: &serde_json::Error| {
        tracing::warn!(version, %error, "the weights in table models cannot be used");
    };
    read.inspect_err(told).ok()
}

fn from_row(row: Row) -> Result<ModelRow, StoreError> {
    let Row { version, status, trained_at, data_from, data_to, instances, rule, metrics, detail, .. } = row;
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
        kind: [ModelKind::Fitted, ModelKind::Rule]
            .into_iter()
            .find(|kind| kind.as_str() == row.kind)
            .ok_or_else(|| at.bad(format!("kind {:?} is unknown", row.kind)))?,
        fitted: fitted_of(version, row.fitted.as_deref()),
        pinned: row.pinned == 1,
    })
}

impl Store {
    /// Keeps a version. A serving one replaces the one in service in the same commit, profiles and all, unless that is
    /// pinned: then it is kept as a rejected one, without profiles. Nothing is kept when the fence has fallen.
    pub async fn model_publish(
        &self,
        model: &ModelRow,
        profiles: &[Learned],
        fence: Option<&Fence>,
    ) -> Result<Published, StoreError> {
        self.retried(|| self.publish(model, profiles, fence)).await
    }

    async fn publish(
        &self,
        model: &ModelRow,
        profiles: &[Learned],
        fence: Option<&Fence>,
    ) -> Result<Published, StoreError> {
        let mut tx = self.begin().await?;
        fenced(&mut tx, self.backend, fence).await?;
        let serving = in_service(&mut tx, self.backend).await?;
        let pinned = serving.filter(|(_, pinned)| *pinned && model.status == ModelStatus::Serving);
        let held_by = pinned.map(|(version, _)| version as u64);
        let (status, detail, profiles) = match held_by {
            None => (model.status, model.detail.clone(), profiles),
            Some(pinned) => (ModelStatus::Rejected, told_pinned(pinned, &model.detail), &[][..]),
        };
        if status == ModelStatus::Serving {
            sqlx::query("UPDATE models SET status = 'superseded', pinned = 0 WHERE status = 'serving'")
                .execute(&mut *tx)
                .await
                .during("retire the model in service")?;
        }
        let sql = "INSERT INTO models (status, trained_at, data_from, data_to, instances, rule, metrics, detail, kind, \
                   fitted, pinned) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING version";
        let fitted = model.fitted.as_ref();
        let version: i64 = sqlx::query_scalar(sql)
            .bind(status.as_str())
            .bind(ms(model.trained_at))
            .bind(model.data_from.map(ms))
            .bind(model.data_to.map(ms))
            .bind(model.instances as i64)
            .bind(serde_json::to_string(&model.rule).expect("a rule is plain data"))
            .bind(serde_json::to_string(&model.metrics).expect("metrics are plain data"))
            .bind(&detail)
            .bind(model.kind.as_str())
            .bind(fitted.map(|fitted| serde_json::to_string(fitted).expect("weights are plain data")))
            .bind(i64::from(model.pinned))
            .fetch_one(&mut *tx)
            .await
            .during("keep a model")?;
        for learned in profiles {
            sqlx::query(
                "INSERT INTO profiles (version, instance_id, profile, stays) VALUES ($1, $2, $3, $4)",
            )
            .bind(version)
            .bind(learned.instance.as_str())
            .bind(learned.hours.encode())
            .bind(learned.stays.as_ref().map(Profile::encode))
            .execute(&mut *tx)
            .await
            .during("keep a profile")?;
        }
        prune(&mut tx, version).await?;
        tx.commit().await.during("commit a model")?;
        Ok(Published { version: version as u64, held_by, detail })
    }

    pub async fn model_serving(&self) -> Result<Option<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, fitted FROM models WHERE status = 'serving'");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_optional(&self.pool)
            .await
            .during("read the model in service")?;
        row.map(from_row).transpose()
    }

    /// One version, with its weights.
    pub async fn model_get(&self, version: u64) -> Result<Option<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, fitted FROM models WHERE version = $1");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(version as i64)
            .fetch_optional(&self.pool)
            .await
            .during("read a model")?;
        row.map(from_row).transpose()
    }

    /// Newest first, without weights.
    pub async fn models_list(&self, limit: u32) -> Result<Vec<ModelRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, CAST(NULL AS TEXT) AS fitted FROM models ORDER BY version DESC LIMIT $1"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(limit))
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
        let sql = "SELECT trained_at FROM models WHERE status != 'rejected' AND trained_at >= $1 AND trained_at < $2 \
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
            "SELECT instance_id, profile FROM profiles WHERE version = $1 ORDER BY instance_id",
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

    /// The stays of a version's instances and the zone each lives in, in order of instance; none for kind `rule`.
    pub async fn stays_of(&self, version: u64) -> Result<Vec<(InstanceId, Profile, TimeZone)>, StoreError> {
        use futures::TryStreamExt;
        let sql = "SELECT instance_id, profile, stays FROM profiles WHERE version = $1 AND stays IS NOT NULL \
                   ORDER BY instance_id";
        let mut rows =
            sqlx::query_as::<_, (String, Vec<u8>, Vec<u8>)>(sql).bind(version as i64).fetch(&self.pool);
        let mut read = Vec::new();
        while let Some((id, hours, stays)) = rows.try_next().await.during("read stays")? {
            let at = Place { table: "profiles", row: &id };
            let hours = HourProfile::decode(&hours).map_err(|e| at.bad(format!("profile {e}")))?;
            let stays = Profile::decode(&stays).map_err(|e| at.bad(format!("stays {e}")))?;
            read.push((at.parse("instance_id", &id)?, stays, hours.zone().clone()));
        }
        Ok(read)
    }
}

/// Forgets profiles nobody can put back, and weights nobody looks at any more.
async fn prune(tx: &mut Tx, newest: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM profiles WHERE version NOT IN (SELECT version FROM models WHERE status != 'rejected' \
               ORDER BY version DESC LIMIT $1) \
               AND version NOT IN (SELECT version FROM models WHERE status = 'serving')";
    sqlx::query(sql).bind(VERSIONS_KEPT).execute(&mut **tx).await.during("prune old profiles")?;
    let sql = "UPDATE models SET fitted = NULL WHERE version <= $1 AND status != 'serving' AND fitted IS NOT NULL \
               AND version NOT IN (SELECT version FROM profiles)";
    let sql = sqlx::query(sql).bind(newest - WEIGHTS_KEPT);
    sql.execute(&mut **tx).await.during("prune old weights").map(drop)
}
