//! Table `notifications`: written in the transaction of what they tell of, and read by people.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{
    Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT, plain},
};
use crate::{notify::Notice, wake::Wake};

/// What one receiver is told, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRow {
    pub notification_id: i64,
    /// The receiver sees it with every try.
    pub message_id: String,
    pub receiver: String,
    pub event: String,
    /// Empty when it is of no instance.
    pub instance: String,
    /// `pending`, `delivered` or `given_up`.
    pub state: String,
    pub attempts: u32,
    pub created_at: Timestamp,
    /// While it is pending: not to be tried before.
    pub due_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Of the last try that failed; empty when none has.
    pub last_error: String,
}

/// Which notifications to list.
#[derive(Debug, Clone, Default)]
pub struct NotificationFilter {
    pub state: Option<String>,
    pub receiver: Option<String>,
    pub instance: Option<String>,
    /// Only those below this number, for paging.
    pub before: Option<i64>,
    pub limit: u32,
}

type Row = (i64, String, String, String, String, String, i64, i64, i64, Option<i64>, String);

fn from_row(row: Row) -> Result<NotificationRow, StoreError> {
    let (
        id,
        message_id,
        receiver,
        event,
        instance,
        state,
        attempts,
        created_at,
        due_at,
        ended_at,
        last_error,
    ) = row;
    let named = id.to_string();
    let place = Place { table: "notifications", row: &named };
    Ok(NotificationRow {
        notification_id: id,
        message_id,
        receiver,
        event,
        instance,
        state,
        attempts: attempts as u32,
        created_at: place.time("created_at", created_at)?,
        due_at: place.time("due_at", due_at)?,
        ended_at: place.time_opt("ended_at", ended_at)?,
        last_error,
    })
}

#[derive(Serialize)]
struct NewRow<'a> {
    message_id: &'a str,
    receiver: &'a str,
    event: &'static str,
    instance_id: &'a str,
    body: String,
    created_at: i64,
}

const COLUMNS: [(&str, Kind); 6] = [
    ("message_id", Kind::Text),
    ("receiver", Kind::Text),
    ("event", Kind::Text),
    ("instance_id", Kind::Text),
    ("body", Kind::Text),
    ("created_at", Kind::Int),
];

impl Store {
    /// Writes down what the ends of these wakes have to say, for whoever wants to hear it.
    pub(super) async fn notify_of_ends<'a>(
        &self,
        tx: &mut Tx,
        wakes: impl Iterator<Item = &'a Wake>,
    ) -> Result<(), StoreError> {
        // Nobody pays for what is not configured.
        if self.receivers.is_empty() {
            return Ok(());
        }
        let notices: Vec<Notice> = wakes.filter_map(Notice::of_wake).collect();
        self.notify_of(tx, &notices).await
    }

    /// Writes a row for everybody who wants to hear of one of these. What was told before is not told again.
    pub(super) async fn notify_of(&self, tx: &mut Tx, notices: &[Notice]) -> Result<(), StoreError> {
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        let sql = format!(
            "INSERT INTO notifications ({names}, state, due_at) SELECT {names}, 'pending', created_at FROM {} AS told \
             WHERE 1 = 1 ON CONFLICT DO NOTHING",
            rows::table(self.backend, &COLUMNS)
        );
        let mut rows: Vec<NewRow<'_>> = Vec::new();
        for notice in notices {
            rows.extend(self.receivers.wanting(notice).map(|receiver| new_row(notice, receiver)));
        }
        for some in rows.chunks(ROWS_PER_STATEMENT) {
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(rows::json(some))
                .execute(&mut **tx)
                .await
                .during("write notifications")?;
        }
        Ok(())
    }

    /// Newest first.
    pub async fn notifications_list(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Vec<NotificationRow>, StoreError> {
        let sql = "SELECT notification_id, message_id, receiver, event, instance_id, state, attempts, created_at, due_at, \
                   ended_at, last_error FROM notifications WHERE ($1 = '' OR state = $1) AND ($2 = '' OR receiver = $2) \
                   AND ($3 = '' OR instance_id = $3) AND notification_id < $4 ORDER BY notification_id DESC LIMIT $5";
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(text(&filter.state))
            .bind(text(&filter.receiver))
            .bind(text(&filter.instance))
            .bind(filter.before.unwrap_or(i64::MAX))
            .bind(i64::from(filter.limit))
            .fetch_all(&self.pool)
            .await
            .during("list notifications")?;
        rows.into_iter().map(from_row).collect()
    }

    /// How many wait for their delivery, by receiver.
    pub async fn notifications_pending(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT receiver, count(*) FROM notifications WHERE state = 'pending' GROUP BY receiver";
        let rows: Vec<(String, i64)> =
            sqlx::query_as(sql).fetch_all(&self.pool).await.during("count notifications")?;
        Ok(rows.into_iter().map(|(receiver, count)| (receiver, count as u64)).collect())
    }
}

fn new_row<'a>(notice: &'a Notice, receiver: &'a str) -> NewRow<'a> {
    NewRow {
        message_id: &notice.message_id,
        receiver,
        event: notice.event.as_str(),
        instance_id: notice.instance.as_ref().map_or("", |instance| instance.as_str()),
        body: plain(&notice.body),
        created_at: ms(notice.at),
    }
}
