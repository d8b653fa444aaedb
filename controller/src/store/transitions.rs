//! Table `transitions`: every move of every wake.

use jiff::Timestamp;
use reveille_proto::WakeId;
use serde::Serialize;
use sqlx::{Sqlite, Transaction};

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
};

/// One move of a wake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    pub wake: WakeId,
    /// 1 is the creation; set when appended.
    pub seq: u32,
    pub at: Timestamp,
    pub event: String,
    pub from: String,
    pub to: String,
    pub epoch: u64,
    pub detail: String,
}

type Row = (String, i64, i64, String, String, String, i64, String);

fn from_row((wake_id, seq, at, event, from, to, epoch, detail): Row) -> Result<Transition, StoreError> {
    let row = format!("{wake_id}/{seq}");
    let place = Place { table: "transitions", row: &row };
    Ok(Transition {
        wake: place.parse("wake_id", &wake_id)?,
        seq: seq as u32,
        at: place.time("at", at)?,
        event,
        from,
        to,
        epoch: epoch as u64,
        detail,
    })
}

pub(super) async fn append(
    tx: &mut Transaction<'static, Sqlite>,
    moved: &Transition,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO transitions (wake_id, seq, at, event, from_state, to_state, epoch, detail) \
               VALUES (?1, 1 + (SELECT count(*) FROM transitions WHERE wake_id = ?1), ?2, ?3, ?4, ?5, ?6, ?7)";
    sqlx::query(sql)
        .bind(moved.wake.to_string())
        .bind(ms(moved.at))
        .bind(&moved.event)
        .bind(&moved.from)
        .bind(&moved.to)
        .bind(moved.epoch as i64)
        .bind(&moved.detail)
        .execute(&mut **tx)
        .await
        .during("record a move of a wake")
        .map(|_| ())
}

impl Store {
    /// The story of one wake, in order.
    pub async fn transitions_of(&self, wake: WakeId) -> Result<Vec<Transition>, StoreError> {
        let sql = "SELECT wake_id, seq, at, event, from_state, to_state, epoch, detail FROM transitions \
                   WHERE wake_id = ? ORDER BY seq";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(wake.to_string())
            .fetch_all(&self.pool)
            .await
            .during("read the moves of a wake")?;
        rows.into_iter().map(from_row).collect()
    }

    /// All moves in a span, ordered by time: what an oracle reads.
    pub async fn transitions_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Transition>, StoreError> {
        let sql = "SELECT wake_id, seq, at, event, from_state, to_state, epoch, detail FROM transitions \
                   WHERE at >= ? AND at < ? ORDER BY at, wake_id, seq";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read moves of wakes")?;
        rows.into_iter().map(from_row).collect()
    }
}
