//! Table `transitions`: every move of every wake.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::Serialize;

use super::{
    Backend, Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT, plain},
};

/// One move of a wake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    pub wake: WakeId,
    /// 1 is the creation; after that, one more than the moves of the wake.
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

#[derive(Serialize)]
struct NewRow<'a> {
    wake_id: WakeId,
    seq: u32,
    at: i64,
    event: &'a str,
    from_state: &'a str,
    to_state: &'a str,
    epoch: u64,
    detail: String,
}

fn new_row(moved: &Transition) -> NewRow<'_> {
    NewRow {
        wake_id: moved.wake,
        seq: moved.seq,
        at: ms(moved.at),
        event: &moved.event,
        from_state: &moved.from,
        to_state: &moved.to,
        epoch: moved.epoch,
        detail: plain(&moved.detail),
    }
}

const COLUMNS: [(&str, Kind); 8] = [
    ("wake_id", Kind::Text),
    ("seq", Kind::Int),
    ("at", Kind::Int),
    ("event", Kind::Text),
    ("from_state", Kind::Text),
    ("to_state", Kind::Text),
    ("epoch", Kind::Int),
    ("detail", Kind::Text),
];

/// A move of a wake, and the instance it is of.
pub(super) type Told<'a> = (Transition, &'a InstanceId);

/// Moves as statements: made before the transaction begins, they keep no other writer waiting.
pub(super) struct Story<'a> {
    sql: String,
    parts: Vec<(String, &'a [Told<'a>])>,
}

impl<'a> Story<'a> {
    pub(super) fn of(backend: Backend, moves: &'a [Told<'a>]) -> Self {
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        let table = rows::table(backend, &COLUMNS);
        let sql = format!("INSERT INTO transitions ({names}) SELECT {names} FROM {table} AS moved");
        let part = |some: &'a [Told<'a>]| {
            (rows::json(&some.iter().map(|(moved, _)| new_row(moved)).collect::<Vec<_>>()), some)
        };
        Self { sql, parts: moves.chunks(ROWS_PER_STATEMENT).map(part).collect() }
    }

    pub(super) async fn append(self, tx: &mut Tx) -> Result<(), StoreError> {
        for (json, some) in self.parts {
            sqlx::query(sqlx::AssertSqlSafe(self.sql.clone()))
                .bind(json)
                .execute(&mut **tx)
                .await
                .during("record moves of wakes")?;
            for (moved, instance) in some {
                tx.wrote(moved, instance);
            }
        }
        Ok(())
    }
}

pub(super) async fn append(tx: &mut Tx, backend: Backend, moves: &[Told<'_>]) -> Result<(), StoreError> {
    Story::of(backend, moves).append(tx).await
}

impl Store {
    /// The story of one wake, in order.
    pub async fn transitions_of(&self, wake: WakeId) -> Result<Vec<Transition>, StoreError> {
        let sql = "SELECT wake_id, seq, at, event, from_state, to_state, epoch, detail FROM transitions \
                   WHERE wake_id = $1 ORDER BY seq";
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
                   WHERE at >= $1 AND at < $2 ORDER BY at, wake_id, seq";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read moves of wakes")?;
        rows.into_iter().map(from_row).collect()
    }
}
