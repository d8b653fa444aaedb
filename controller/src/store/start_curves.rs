//! Table `start_curves`: what starts of each class were measured to cost.

use jiff::Timestamp;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};
use crate::throttle::{ClassName, StartCurve};

impl Store {
    /// Curves that cannot be read are said and left out: they are learned again.
    pub async fn start_curves(&self) -> Result<Vec<(ClassName, StartCurve)>, StoreError> {
        let sql = "SELECT cohort, host_class, curve FROM start_curves ORDER BY cohort, host_class";
        let rows: Vec<(String, String, String)> =
            sqlx::query_as(sql).fetch_all(&self.pool).await.during("read start curves")?;
        let read = rows.into_iter().filter_map(|(cohort, host_class, curve)| {
            let row = format!("{cohort}@{host_class}");
            let curve = Place { table: "start_curves", row: &row }.json("curve", &curve);
            let curve =
                curve.inspect_err(|error| tracing::warn!(%error, "a start curve is left out")).ok()?;
            Some((ClassName { cohort, host_class }, curve))
        });
        Ok(read.collect())
    }

    pub async fn start_curve_keep(
        &self,
        class: &ClassName,
        curve: &StartCurve,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO start_curves (cohort, host_class, curve, wakes, updated_at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (cohort, host_class) DO UPDATE SET curve = $3, wakes = $4, updated_at = $5";
        sqlx::query(sql)
            .bind(&class.cohort)
            .bind(&class.host_class)
            .bind(serde_json::to_string(curve).expect("a curve is numbers"))
            .bind(i64::from(curve.wakes()))
            .bind(ms(at))
            .execute(&self.pool)
            .await
            .during("keep a start curve")
            .map(drop)
    }
}
