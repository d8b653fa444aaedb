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
    epoch: u64,
    detail: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    kind: Option<MoveKind<'a>>,
}

/// Which move it is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
struct MoveKind<'a> {
    event: &'a str,
    from_state: &'a str,
    to_state: &'a str,
}

impl<'a> MoveKind<'a> {
    fn of(moved: &'a Transition) -> Self {
        Self { event: &moved.event, from_state: &moved.from, to_state: &moved.to }
    }
}

fn new_row<'a>(moved: &Transition, kind: Option<MoveKind<'a>>) -> NewRow<'a> {
    NewRow {
        wake_id: moved.wake,
        seq: moved.seq,
        at: ms(moved.at),
        epoch: moved.epoch,
        detail: plain(&moved.detail),
        kind,
    }
}

const COLUMNS: [(&str, Kind); 5] = [
    ("wake_id", Kind::Text),
    ("seq", Kind::Int),
    ("at", Kind::Int),
    ("epoch", Kind::Int),
    ("detail", Kind::Text),
];
/// Those of a [`MoveKind`].
const KIND_COLUMNS: [(&str, Kind); 3] =
    [("event", Kind::Text), ("from_state", Kind::Text), ("to_state", Kind::Text)];

/// A move of a wake, and the instance it is of.
pub(super) type Told<'a> = (Transition, &'a InstanceId);

/// Moves as statements: made before the transaction begins, they keep no other writer waiting.
pub(super) struct Story<'a>(Vec<Part<'a>>);

/// One statement.
struct Part<'a> {
    sql: String,
    json: String,
    /// Of all moves in it: a batch of commands, say, is the same move of many wakes, and that is said once.
    alike: Option<MoveKind<'a>>,
    moves: &'a [Told<'a>],
}

impl<'a> Story<'a> {
    pub(super) fn of(backend: Backend, moves: &'a [Told<'a>]) -> Self {
        Self(moves.chunks(ROWS_PER_STATEMENT).map(|some| Part::of(backend, some)).collect())
    }

    pub(super) async fn append(self, tx: &mut Tx) -> Result<(), StoreError> {
        for Part { sql, json, alike, moves } in self.0 {
            let mut asked = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(json);
            if let Some(MoveKind { event, from_state, to_state }) = alike {
                asked = asked.bind(event).bind(from_state).bind(to_state);
            }
            asked.execute(&mut **tx).await.during("record moves of wakes")?;
            for (moved, instance) in moves {
                tx.wrote(moved, instance);
            }
        }
        Ok(())
    }
}

impl<'a> Part<'a> {
    fn of(backend: Backend, moves: &'a [Told<'a>]) -> Self {
        let first = moves.first().map(|(moved, _)| MoveKind::of(moved));
        let alike = first.filter(|first| moves.iter().all(|(moved, _)| MoveKind::of(moved) == *first));
        let row = |(moved, _): &'a Told<'a>| new_row(moved, alike.is_none().then(|| MoveKind::of(moved)));
        let json = rows::json(&moves.iter().map(row).collect::<Vec<_>>());
        let (columns, kind) = match alike {
            Some(_) => (COLUMNS.to_vec(), "$2, $3, $4"),
            None => ([&COLUMNS[..], &KIND_COLUMNS[..]].concat(), "event, from_state, to_state"),
        };
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        let sql = format!(
            "INSERT INTO transitions ({names}, event, from_state, to_state) SELECT {names}, {kind} FROM {} AS moved",
            rows::table(backend, &columns)
        );
        Self { sql, json, alike, moves }
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
}
