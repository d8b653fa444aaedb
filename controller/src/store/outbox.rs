//! Table `notifications` as the leader empties it: what may go out now, and what became of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{
    Store, StoreError,
    error::During,
    leases::{Fence, fenced},
    row::{Place, ms},
    rows::{self, Kind, plain},
};

/// A notification that is to go out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub notification_id: i64,
    pub message_id: String,
    pub event: String,
    /// Empty when it is of no instance.
    pub instance: String,
    pub body: String,
    pub created_at: Timestamp,
    /// With this try.
    pub attempts: u32,
}

/// What becomes of a notification after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Delivered,
    /// It failed, and is due again.
    Again {
        due_at: Timestamp,
        problem: String,
    },
    GivenUp {
        problem: String,
    },
}

#[derive(Serialize)]
struct Id {
    notification_id: i64,
}

const ID: [(&str, Kind); 1] = [("notification_id", Kind::Int)];

fn ids_json<'a>(ids: impl IntoIterator<Item = &'a i64>) -> String {
    let ids: Vec<Id> = ids.into_iter().map(|id| Id { notification_id: *id }).collect();
    rows::json(&ids)
}

type Row = (i64, String, String, String, String, i64, i64);

impl Store {
    /// Receivers for whom something is due.
    pub async fn notifications_due(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT receiver FROM notifications WHERE state = 'pending' AND due_at <= $1";
        sqlx::query_scalar(sql).bind(ms(now)).fetch_all(&self.pool).await.during("look for due notifications")
    }

    /// Takes up to `most` that are due for a receiver, of each instance only the first that is pending, without those in
    /// `under_way`; their tries are counted before they are made. Refused when the fence has fallen.
    pub async fn notifications_claim(
        &self,
        receiver: &str,
        now: Timestamp,
        (most, under_way): (usize, &BTreeSet<i64>),
        fence: Option<&Fence>,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.retried(|| self.claim(receiver, now, (most, under_way), fence)).await
    }

    async fn claim(
        &self,
        receiver: &str,
        now: Timestamp,
        (most, under_way): (usize, &BTreeSet<i64>),
        fence: Option<&Fence>,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let mut tx = self.begin().await?;
        fenced(&mut tx, self.backend, fence).await?;
        let these = format!("(SELECT notification_id FROM {} AS said)", rows::table(self.backend, &ID));
        let sql = format!(
            "SELECT notification_id, message_id, event, instance_id, body, created_at, attempts + 1 FROM notifications AS one \
             WHERE state = 'pending' AND receiver = $2 AND due_at <= $3 AND notification_id NOT IN {these} \
             AND NOT EXISTS (SELECT 1 FROM notifications AS earlier WHERE earlier.state = 'pending' \
             AND earlier.receiver = one.receiver AND earlier.instance_id = one.instance_id \
             AND earlier.notification_id < one.notification_id) ORDER BY due_at, notification_id LIMIT $4"
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(ids_json(under_way))
            .bind(receiver)
            .bind(ms(now))
            .bind(most as i64)
            .fetch_all(&mut *tx)
            .await
            .during("take notifications")?;
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let sql =
            format!("UPDATE notifications SET attempts = attempts + 1 WHERE notification_id IN {these}");
        sqlx::query(AssertSqlSafe(sql))
            .bind(ids_json(&ids))
            .execute(&mut *tx)
            .await
            .during("count tries of notifications")?;
        tx.commit().await.during("commit taken notifications")?;
        rows.into_iter().map(from_row).collect()
    }

    /// Keeps what became of a try. Whoever was faster stands; refused when the fence has fallen.
    pub async fn notification_sent(
        &self,
        id: i64,
        sent: &Sent,
        now: Timestamp,
        fence: Option<&Fence>,
    ) -> Result<(), StoreError> {
        self.retried(|| self.keep_sent(id, sent, now, fence)).await
    }

    async fn keep_sent(
        &self,
        id: i64,
        sent: &Sent,
        now: Timestamp,
        fence: Option<&Fence>,
    ) -> Result<(), StoreError> {
        let (state, ended_at, due_at, problem) = match sent {
            Sent::Delivered => ("delivered", Some(ms(now)), ms(now), ""),
            Sent::Again { due_at, problem } => ("pending", None, ms(*due_at), problem.as_str()),
            Sent::GivenUp { problem } => ("given_up", Some(ms(now)), ms(now), problem.as_str()),
        };
        let mut tx = self.begin().await?;
        fenced(&mut tx, self.backend, fence).await?;
        // What was wrong before it went well stays to be read.
        let sql = "UPDATE notifications SET state = $2, ended_at = $3, due_at = $4, \
                   last_error = CASE WHEN $5 = '' THEN last_error ELSE $5 END \
                   WHERE notification_id = $1 AND state = 'pending'";
        sqlx::query(sql)
            .bind(id)
            .bind(state)
            .bind(ended_at)
            .bind(due_at)
            .bind(plain(problem))
            .execute(&mut *tx)
            .await
            .during("keep what became of a notification")?;
        tx.commit().await.during("commit what became of a notification")
    }

    /// Gives up what was made before `before` for receivers that nothing is sent to: all but `served`. Returns how many.
    pub async fn notifications_abandon(
        &self,
        served: &BTreeSet<String>,
        (before, now): (Timestamp, Timestamp),
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE notifications SET state = 'given_up', ended_at = $2, \
             last_error = CASE WHEN last_error = '' THEN 'nothing is sent to this receiver' ELSE last_error END \
             WHERE state = 'pending' AND created_at < $3 AND receiver NOT IN {}",
            rows::ids(self.backend)
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(rows::ids_json(served))
            .bind(ms(now))
            .bind(ms(before))
            .execute(&self.pool)
            .await
            .during("give notifications up")?;
        Ok(done.rows_affected())
    }
}

fn from_row(
    (notification_id, message_id, event, instance, body, created_at, attempts): Row,
) -> Result<Outgoing, StoreError> {
    let row = notification_id.to_string();
    let created_at = Place { table: "notifications", row: &row }.time("created_at", created_at)?;
    Ok(Outgoing { notification_id, message_id, event, instance, body, created_at, attempts: attempts as u32 })
}
