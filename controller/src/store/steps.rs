//! Table `wakes`: stepping wakes by events, one or many in one commit.

use std::collections::BTreeMap;

use reveille_proto::WakeId;
use sqlx::AssertSqlSafe;

use super::{
    Backend, Store, StoreError, Tx,
    error::During,
    moves::{Line, write},
    rows,
    wake_row::{COLUMNS, Row},
};
use crate::wake::{Effect, Event, RetryRule, Wake};

/// A wake after a step, and what is to be done after the commit; or why it did not move.
pub type Stepped = Result<(Wake, Vec<Effect>), StoreError>;

impl Store {
    /// Steps a wake and commits the move with its row in `transitions`; the effects are for after the commit.
    pub async fn wake_step(&self, id: WakeId, event: &Event, rule: &RetryRule) -> Stepped {
        let stepped = self.wakes_step_many(&[(id, event.clone())], rule).await?;
        stepped.into_iter().next().unwrap_or(Err(StoreError::NoWake(id)))
    }

    /// Steps wakes in the order given and commits all that moved together; one that cannot move keeps no other back.
    /// Returns what became of each event, in the order given.
    pub async fn wakes_step_many(
        &self,
        events: &[(WakeId, Event)],
        rule: &RetryRule,
    ) -> Result<Vec<Stepped>, StoreError> {
        self.retried(|| self.step_many(events, rule)).await
    }

    async fn step_many(
        &self,
        events: &[(WakeId, Event)],
        rule: &RetryRule,
    ) -> Result<Vec<Stepped>, StoreError> {
        let mut tx = self.begin().await?;
        let mut lines = read_locked(&mut tx, self.backend, events).await?;
        let stepped = events.iter().map(|(id, event)| {
            let line = match lines.get_mut(id) {
                None => return Err(StoreError::NoWake(*id)),
                Some(Ok(line)) => line,
                Some(Err(problem)) => return Err(again(problem)),
            };
            let effects = line.step(event, rule)?;
            Ok((line.wake.clone(), effects))
        });
        let stepped: Vec<Stepped> = stepped.collect();
        let lines: Vec<Line> = lines.into_values().filter_map(Result::ok).collect();
        write(&mut tx, self.backend, &lines).await?;
        self.notify_of_ends(&mut tx, lines.iter().filter(|line| line.has_moved()).map(|line| &line.wake))
            .await?;
        tx.commit().await.during("commit a move of a wake")?;
        Ok(stepped)
    }
}

/// Reads the wakes of the events and keeps everybody else from moving them.
async fn read_locked(
    tx: &mut Tx,
    backend: Backend,
    events: &[(WakeId, Event)],
) -> Result<BTreeMap<WakeId, Result<Line, StoreError>>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM wakes WHERE wake_id IN {} ORDER BY wake_id{}",
        rows::ids(backend),
        backend.for_update()
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(rows::ids_json(events.iter().map(|(id, _)| id)))
        .fetch_all(&mut **tx)
        .await
        .during("read wakes")?;
    let mut lines = BTreeMap::new();
    for row in rows {
        let Ok(id) = row.wake_id.parse::<WakeId>() else { continue };
        lines.insert(id, row.into_wake().map(Line::new));
    }
    Ok(lines)
}

/// The same bad row once more: an error that holds a source cannot be cloned.
fn again(problem: &StoreError) -> StoreError {
    StoreError::BadRow { table: "wakes", row: String::new(), problem: problem.to_string() }
}
