//! Table `controllers`: who has used this database, and where each answers.

use jiff::Timestamp;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};

/// A controller as it last said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRow {
    pub controller: String,
    /// Of its start.
    pub epoch: u64,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    /// Where agents find it; empty when it did not say.
    pub grpc_address: String,
    pub http_address: String,
    pub version: String,
}

type Row = (String, i64, i64, i64, String, String, String);

impl Store {
    /// Keeps what a controller says of itself.
    pub async fn controller_keep(&self, row: &ControllerRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO controllers (controller_id, epoch, started_at, seen_at, grpc_address, http_address, version) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (controller_id) DO UPDATE SET epoch = $2, \
                   started_at = $3, seen_at = $4, grpc_address = $5, http_address = $6, version = $7";
        sqlx::query(sql)
            .bind(&row.controller)
            .bind(row.epoch as i64)
            .bind(ms(row.started_at))
            .bind(ms(row.seen_at))
            .bind(&row.grpc_address)
            .bind(&row.http_address)
            .bind(&row.version)
            .execute(&self.pool)
            .await
            .during("keep a controller")
            .map(drop)
    }

    /// Keeps that a controller was there at `at`.
    pub async fn controller_seen(&self, controller: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE controllers SET seen_at = $2 WHERE controller_id = $1")
            .bind(controller)
            .bind(ms(at))
            .execute(&self.pool)
            .await
            .during("keep when a controller was seen")
            .map(drop)
    }

    /// Who was there at or after `since`, by their own clocks.
    pub async fn controllers_seen_since(&self, since: Timestamp) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT controller_id FROM controllers WHERE seen_at >= $1 ORDER BY controller_id")
            .bind(ms(since))
            .fetch_all(&self.pool)
            .await
            .during("read which controllers are there")
    }

    /// In order of id.
    pub async fn controllers_list(&self) -> Result<Vec<ControllerRow>, StoreError> {
        let sql = "SELECT controller_id, epoch, started_at, seen_at, grpc_address, http_address, version \
                   FROM controllers ORDER BY controller_id";
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.pool).await.during("list controllers")?;
        let read = rows.into_iter().map(|(controller, epoch, started, seen, grpc, http, version)| {
            let at = Place { table: "controllers", row: &controller };
            let (started_at, seen_at) = (at.time("started_at", started)?, at.time("seen_at", seen)?);
            let (grpc_address, http_address) = (grpc, http);
            let epoch = epoch as u64;
            Ok(ControllerRow { controller, epoch, started_at, seen_at, grpc_address, http_address, version })
        });
        read.collect()
    }
}
