//! What a replay found, as JSON has it.

use jiff::civil::Date;
use serde::Serialize;

use super::stored::ModelUsed;
use crate::{policy::Policy, report::whatif::Card};

/// Two policies side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct WhatifReport {
    pub(super) database: String,
    /// The first day that counts, in UTC.
    pub(super) from: Date,
    /// The day after the last.
    pub(super) to: Date,
    pub(super) instances: usize,
    pub(super) model: ModelUsed,
    pub(super) changes: Vec<Change>,
    pub(super) current: Side,
    pub(super) new: Side,
    /// What budgets buy without caps and throttle, the cheapest first.
    pub(super) frontier: Vec<FrontierRow>,
    /// What to mind when reading this, in words.
    pub(super) notes: Vec<String>,
}

/// A policy and what it would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Side {
    pub(super) policy: Policy,
    #[serde(flatten)]
    pub(super) card: Card,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) current: serde_json::Value,
    pub(super) new: serde_json::Value,
}

/// One budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct FrontierRow {
    pub(super) idle_budget_h: f64,
    pub(super) idle_h_per_instance_day: Option<f64>,
    pub(super) found_awake_share: Option<f64>,
}

/// The keys in which two policies differ.
pub(super) fn changes(current: &Policy, new: &Policy) -> Vec<Change> {
    let both = current.entries().into_iter().zip(new.entries());
    let differ = both.filter(|((_, current), (_, new))| current != new);
    differ.map(|((key, current), (_, new))| Change { key, current, new }).collect()
}
