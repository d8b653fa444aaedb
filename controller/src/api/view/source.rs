//! A log that is read, and what was in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::SourceRow;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    pub source: String,
    /// Lines read so far of the present file.
    pub line: u64,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// By kind: `lines`, `records`, `reject:<reason>`, ...
    pub counts: BTreeMap<String, u64>,
}

impl From<SourceRow> for SourceView {
    fn from(row: SourceRow) -> Self {
        let SourceRow { source, line, updated_at, counts } = row;
        Self { source, line, updated_at, counts: counts.into_iter().collect() }
    }
}
