//! Table `wakes`: what became of instances that others need.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::InstanceId;
use sqlx::AssertSqlSafe;

use super::{
    Store, StoreError,
    error::During,
    rows,
    wake_row::{COLUMNS, Row, readable},
};
use crate::wake::{End, State, Wake};

/// How the newest wake of an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEnd {
    pub end: End,
    pub at: Timestamp,
    pub detail: String,
}

impl Store {
    /// The queued wakes of these instances.
    pub async fn wakes_queued_of(
        &self,
        instances: impl Iterator<Item = &InstanceId>,
    ) -> Result<Vec<Wake>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes WHERE instance_id IN {} AND ended_at IS NULL AND state = 'queued'",
            rows::ids(self.backend)
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(rows::ids_json(instances))
            .fetch_all(&self.pool)
            .await
            .during("read queued wakes that need others")?;
        Ok(readable(rows))
    }

    /// How the newest wake of each of these instances ended; none of those without a wake, or with an open one.
    pub async fn last_ends_of(
        &self,
        instances: impl Iterator<Item = &InstanceId>,
    ) -> Result<BTreeMap<InstanceId, LastEnd>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM wakes WHERE instance_id IN {} AND ended_at IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM wakes AS newer WHERE newer.instance_id = wakes.instance_id \
             AND (newer.created_at, newer.wake_id) > (wakes.created_at, wakes.wake_id))",
            rows::ids(self.backend)
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(rows::ids_json(instances))
            .fetch_all(&self.pool)
            .await
            .during("read how needed wakes ended")?;
        let ended = |wake: Wake| match wake.state {
            State::Ended { end, at } => Some((wake.instance, LastEnd { end, at, detail: wake.detail })),
            _ => None,
        };
        Ok(readable(rows).into_iter().filter_map(ended).collect())
    }
}
