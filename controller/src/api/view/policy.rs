//! The policy in force, key by key, and who changed it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    policy::Policy,
    store::{PolicyChange, PolicyRow},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyEntryView {
    pub key: String,
    pub value: serde_json::Value,
    /// None when the value is the configuration's.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    pub changed_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    pub entries: Vec<PolicyEntryView>,
}

/// A new value: JSON, or text as TOML would write it (`8`, `act`, `["2026-12-25"]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySetBody {
    pub value: serde_json::Value,
}

/// One change, for the record. Values are JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChangeView {
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    pub changed_by: String,
    pub key: String,
    pub old_value: String,
    pub new_value: String,
}

impl PolicyView {
    pub(crate) fn new(policy: &Policy, set: Vec<PolicyRow>) -> Self {
        let mut set: BTreeMap<String, PolicyRow> =
            set.into_iter().map(|row| (row.key.clone(), row)).collect();
        let entries = policy.entries().into_iter().map(|(key, value)| {
            let row = set.remove(&key);
            let (changed_at, changed_by) = row.map(|row| (row.changed_at, row.changed_by)).unzip();
            PolicyEntryView { key, value, changed_at, changed_by }
        });
        Self { entries: entries.collect() }
    }
}

impl PolicySetBody {
    /// As [`Policy::set`] takes it.
    pub(crate) fn as_toml(&self) -> String {
        match &self.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl From<PolicyChange> for PolicyChangeView {
    fn from(change: PolicyChange) -> Self {
        let PolicyChange { changed_at, changed_by, key, old_value, new_value } = change;
        Self { changed_at, changed_by, key, old_value, new_value }
    }
}
