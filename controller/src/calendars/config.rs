//! What is configured about calendar files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the events of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarKind {
    /// People behave as on their weekend. An event with times counts for the days it covers wholly.
    Holiday,
    /// No forecast wakes. An event with times is quiet from its start until its end.
    Quiet,
}

/// One `[[calendars]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarConfig {
    /// An iCalendar file. It is read again when it changes.
    pub file: PathBuf,
    pub kind: CalendarKind,
    /// Cohorts it is for; empty is all.
    #[serde(default)]
    pub cohorts: Vec<String>,
}
