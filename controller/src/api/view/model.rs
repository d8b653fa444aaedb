//! A version of the model.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::ModelRow;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    pub version: u64,
    /// `serving`, `superseded` or `rejected`.
    pub status: String,
    #[schema(value_type = String, format = DateTime)]
    pub trained_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_to: Option<Timestamp>,
    pub instances: u64,
    /// The rule it was fitted for.
    #[schema(value_type = Object)]
    pub rule: serde_json::Value,
    #[schema(value_type = Object)]
    pub metrics: serde_json::Value,
    /// Why it was rejected; empty otherwise.
    pub detail: String,
}

impl From<ModelRow> for ModelView {
    fn from(row: ModelRow) -> Self {
        Self {
            version: row.version,
            status: row.status.as_str().to_owned(),
            trained_at: row.trained_at,
            data_from: row.data_from,
            data_to: row.data_to,
            instances: row.instances,
            rule: serde_json::to_value(&row.rule).expect("a rule is plain data"),
            metrics: serde_json::to_value(row.metrics).expect("figures are plain data"),
            detail: row.detail,
        }
    }
}
