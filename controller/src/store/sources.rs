//! Tables `sources` and `source_counts`: how far each log was read, and what was in it.

use jiff::Timestamp;

use super::{
    Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
};
use crate::logs::{Counts, Position};

/// A log with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub source: String,
    pub line: u64,
    pub updated_at: Timestamp,
    /// By kind: `lines`, `records`, `reject:<reason>`, ...
    pub counts: Vec<(String, u64)>,
}

impl Store {
    /// Where reading of `source` goes on.
    pub async fn source_position(&self, source: &str) -> Result<Option<Position>, StoreError> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT fingerprint, byte_offset, line FROM sources WHERE source = $1")
                .bind(source)
                .fetch_optional(&self.pool)
                .await
                .during("read a source's position")?;
        Ok(row.map(|(fingerprint, offset, line)| Position {
            fingerprint,
            offset: offset as u64,
            line: line as u64,
        }))
    }

    pub async fn sources_list(&self) -> Result<Vec<SourceRow>, StoreError> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT source, line, updated_at FROM sources ORDER BY source")
                .fetch_all(&self.pool)
                .await
                .during("list sources")?;
        let mut sources = Vec::with_capacity(rows.len());
        for (source, line, updated_at) in rows {
            let counts: Vec<(String, i64)> =
                sqlx::query_as("SELECT kind, count FROM source_counts WHERE source = $1 ORDER BY kind")
                    .bind(&source)
                    .fetch_all(&self.pool)
                    .await
                    .during("read a source's counts")?;
            let updated_at = Place { table: "sources", row: &source }.time("updated_at", updated_at)?;
            let counts = counts.into_iter().map(|(kind, count)| (kind, count as u64)).collect();
            sources.push(SourceRow { source, line: line as u64, updated_at, counts });
        }
        Ok(sources)
    }
}

pub(super) async fn advance(
    tx: &mut Tx,
    source: &str,
    position: &Position,
    counts: &Counts,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO sources (source, fingerprint, byte_offset, line, updated_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (source) DO UPDATE SET fingerprint = $2, byte_offset = $3, line = $4, updated_at = $5";
    sqlx::query(sql)
        .bind(source)
        .bind(&position.fingerprint)
        .bind(position.offset as i64)
        .bind(position.line as i64)
        .bind(ms(at))
        .execute(&mut **tx)
        .await
        .during("keep a source's position")?;
    for (kind, count) in counts.entries() {
        let sql = "INSERT INTO source_counts (source, kind, count) VALUES ($1, $2, $3) \
                   ON CONFLICT (source, kind) DO UPDATE SET count = source_counts.count + $3";
        sqlx::query(sql)
            .bind(source)
            .bind(kind)
            .bind(count as i64)
            .execute(&mut **tx)
            .await
            .during("keep a source's counts")?;
    }
    Ok(())
}
