//! Which version of the model is in service, as an operator wants it: put back, pinned, let go again.

use jiff::Timestamp;

use super::{Backend, Store, StoreError, Tx, error::During, models::ModelStatus, retry::Contended, row::ms};

/// Why a version cannot be put in service.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("there is no version {0} of the model")]
    Unknown(u64),
    #[error("version {version} was rejected: {detail}")]
    Rejected { version: u64, detail: String },
    #[error(
        "the profiles of version {0} are no longer kept and cannot be made again; only the last versions that served \
         can be put back"
    )]
    Pruned(u64),
    #[error("the weights of version {0} are of another version of Reveille")]
    Unreadable(u64),
    #[error("nothing is in service yet")]
    Nothing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Contended for ServeError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// The key under which the record of changes of policy keeps what was done to the model.
const RECORD_KEY: &str = "model";

impl Store {
    /// Puts a version in service and pins it, and records who did: all or nothing. It may be the one that serves.
    pub async fn model_serve(&self, version: u64, at: Timestamp, by: &str) -> Result<(), ServeError> {
        self.retried(|| self.serve(version, at, by)).await
    }

    async fn serve(&self, version: u64, at: Timestamp, by: &str) -> Result<(), ServeError> {
        let row = self.model_get(version).await?.ok_or(ServeError::Unknown(version))?;
        if row.status == ModelStatus::Rejected {
            return Err(ServeError::Rejected { version, detail: row.detail });
        }
        if row.kind == crate::model::ModelKind::Fitted && row.fitted.is_none() {
            return Err(ServeError::Unreadable(version));
        }
        let mut tx = self.begin().await?;
        let kept: Option<i64> = sqlx::query_scalar("SELECT 1 FROM profiles WHERE version = $1 LIMIT 1")
            .bind(version as i64)
            .fetch_optional(&mut *tx)
            .await
            .during("look for the profiles of a version")?;
        if kept.is_none() {
            return Err(ServeError::Pruned(version));
        }
        let old = in_service(&mut tx, self.backend).await?;
        sqlx::query("UPDATE models SET status = 'superseded', pinned = 0 WHERE status = 'serving'")
            .execute(&mut *tx)
            .await
            .during("retire the model in service")?;
        sqlx::query("UPDATE models SET status = 'serving', pinned = 1 WHERE version = $1")
            .bind(version as i64)
            .execute(&mut *tx)
            .await
            .during("put a version in service")?;
        let new = in_service(&mut tx, self.backend).await?;
        record(&mut tx, at, by, old, new).await?;
        Ok(tx.commit().await.during("commit a version in service")?)
    }

    /// Lets newer versions take the place of the one in service again. Gives its number.
    pub async fn model_unpin(&self, at: Timestamp, by: &str) -> Result<u64, ServeError> {
        self.retried(|| self.unpin(at, by)).await
    }

    async fn unpin(&self, at: Timestamp, by: &str) -> Result<u64, ServeError> {
        let mut tx = self.begin().await?;
        let old = in_service(&mut tx, self.backend).await?;
        let Some((version, pinned)) = old else { return Err(ServeError::Nothing) };
        if pinned {
            sqlx::query("UPDATE models SET pinned = 0")
                .execute(&mut *tx)
                .await
                .during("unpin the model in service")?;
            let new = in_service(&mut tx, self.backend).await?;
            record(&mut tx, at, by, old, new).await?;
        }
        tx.commit().await.during("commit an unpinned model")?;
        Ok(version as u64)
    }
}

/// Number of the version in service, and whether it is pinned.
pub(super) async fn in_service(tx: &mut Tx, backend: Backend) -> Result<Option<(i64, bool)>, StoreError> {
    let sql = format!("SELECT version, pinned FROM models WHERE status = 'serving'{}", backend.for_update());
    let row: Option<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_optional(&mut **tx)
        .await
        .during("look for the model in service")?;
    Ok(row.map(|(version, pinned)| (version, pinned == 1)))
}

async fn record(
    tx: &mut Tx,
    at: Timestamp,
    by: &str,
    old: Option<(i64, bool)>,
    new: Option<(i64, bool)>,
) -> Result<(), StoreError> {
    let told = |version: Option<(i64, bool)>| match version {
        Some((version, true)) => format!("{version}, pinned"),
        Some((version, false)) => version.to_string(),
        None => "none".into(),
    };
    let sql = "INSERT INTO policy_changes (changed_at, changed_by, key, old_value, new_value) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(ms(at))
        .bind(by)
        .bind(RECORD_KEY)
        .bind(told(old))
        .bind(told(new))
        .execute(&mut **tx)
        .await
        .during("record who put a version in service")
        .map(drop)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        model::{HourProfile, Metrics, ModelKind, Rule},
        store::{
            Learned, ModelRow,
            testing::{Home, both, on_sqlite},
        },
        visits::Activity,
    };

    both!(
        only_what_served_and_is_kept_can_be_put_back,
        a_pinned_version_keeps_its_profiles_however_many_are_fitted_since,
        weights_of_other_features_are_left_out_and_cannot_be_put_back,
    );

    fn now() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().expect("a timestamp")
    }

    /// A version of the rule with one instance.
    async fn publish(store: &Store, status: ModelStatus) -> u64 {
        let row = ModelRow {
            version: 0,
            status,
            trained_at: now(),
            data_from: None,
            data_to: None,
            instances: 1,
            rule: Rule::default(),
            metrics: Metrics::default(),
            detail: "as it was".into(),
            kind: ModelKind::Rule,
            fitted: None,
            pinned: false,
        };
        let as_of = now().to_zoned(TimeZone::UTC).date();
        let hours = HourProfile::fit(&Activity::default(), &TimeZone::UTC, as_of, &Rule::default());
        let learned = Learned { instance: "dev1".parse().expect("an id"), hours, stays: None };
        store.model_publish(&row, &[learned], None).await.expect("kept").version
    }

    async fn only_what_served_and_is_kept_can_be_put_back(home: Home) {
        let store = home.open().await;
        assert!(matches!(store.model_unpin(now(), "ann").await, Err(ServeError::Nothing)));
        for _ in 0..4 {
            publish(&store, ModelStatus::Serving).await;
        }
        let rejected = publish(&store, ModelStatus::Rejected).await;
        let refused = async |version| store.model_serve(version, now(), "ann").await.expect_err("refused");
        assert!(matches!(refused(9).await, ServeError::Unknown(9)));
        assert!(matches!(refused(rejected).await, ServeError::Rejected { version: 5, .. }));
        let pruned = refused(1).await;
        assert!(pruned.to_string().contains("no longer kept"), "{pruned}");
        assert_eq!(store.model_serving().await.expect("readable").map(|row| row.version), Some(4));
        store.model_serve(2, now(), "ann").await.expect("put back");
        store.model_serve(3, now(), "ann").await.expect("and another");
        let rows = store.models_list(9).await.expect("readable");
        let pinned: Vec<_> = rows.iter().filter(|row| row.pinned).map(|row| row.version).collect();
        assert_eq!(pinned, [3]);
    }

    async fn a_pinned_version_keeps_its_profiles_however_many_are_fitted_since(home: Home) {
        let store = home.open().await;
        publish(&store, ModelStatus::Serving).await;
        store.model_serve(1, now(), "ann").await.expect("pinned where it is");
        for _ in 0..5 {
            publish(&store, ModelStatus::Serving).await;
        }
        let serving = store.model_serving().await.expect("readable").expect("one");
        assert_eq!((serving.version, store.profiles_of(1).await.expect("readable").len()), (1, 1));
        let last = store.model_get(6).await.expect("readable").expect("kept");
        assert_eq!(
            (last.status, last.detail.as_str()),
            (ModelStatus::Rejected, "version 1 is pinned; as it was")
        );
        store.model_unpin(now(), "bob").await.expect("unpinned");
        store.model_unpin(now(), "bob").await.expect("twice is once");
        assert_eq!(store.policy_changes(9).await.expect("readable").len(), 2);
        assert_eq!(publish(&store, ModelStatus::Serving).await, 7);
        assert_eq!(store.model_serving().await.expect("readable").map(|row| row.version), Some(7));
    }

    /// A database as it was before there were weights, with a model in service. There never was one on a server.
    #[tokio::test]
    async fn a_database_of_before_is_read_on() {
        on_sqlite(read_on).await;
    }

    async fn read_on(home: Home) {
        let store = home.open().await;
        publish(&store, ModelStatus::Serving).await;
        for statement in [
            "ALTER TABLE models DROP COLUMN kind",
            "ALTER TABLE models DROP COLUMN fitted",
            "ALTER TABLE models DROP COLUMN pinned",
            "ALTER TABLE profiles DROP COLUMN stays",
            "ALTER TABLE planned DROP COLUMN idle_h",
            "ALTER TABLE planned DROP COLUMN saved_s",
            "DROP TABLE spend",
            "DELETE FROM _sqlx_migrations WHERE version = 3",
        ] {
            sqlx::query(statement).execute(&store.pool).await.expect("taken back");
        }
        store.close().await;
        let store = home.open().await;
        let serving = store.model_serving().await.expect("readable").expect("goes on");
        assert_eq!((serving.kind, serving.fitted, serving.pinned), (ModelKind::Rule, None, false));
        assert_eq!(store.profiles_of(1).await.expect("readable").len(), 1);
        assert!(store.stays_of(1).await.expect("readable").is_empty());
        assert!(store.spend_of(0).await.expect("readable").is_empty());
    }

    async fn weights_of_other_features_are_left_out_and_cannot_be_put_back(home: Home) {
        let store = home.open().await;
        publish(&store, ModelStatus::Serving).await;
        sqlx::query("UPDATE models SET kind = 'fitted', fitted = '{\"wake\": {}}'")
            .execute(&store.pool)
            .await
            .expect("spoilt");
        let serving = store.model_serving().await.expect("readable").expect("goes on");
        assert_eq!((serving.kind, serving.fitted), (ModelKind::Fitted, None));
        let refused = store.model_serve(1, now(), "ann").await;
        assert!(matches!(refused, Err(ServeError::Unreadable(1))), "{refused:?}");
    }
}
