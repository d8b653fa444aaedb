//! The newest plan: what it chose, what it left out, and why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Page;
use crate::store::{OmissionRow, PlanRow, PlannedRow};

/// A wake that some plan chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedView {
    pub instance_id: String,
    pub host_id: String,
    /// The plan that chose it first.
    pub plan_id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub serve_at: Timestamp,
    pub probability: f64,
    pub why: String,
    /// The wake it became; none in forecast-only mode.
    pub wake_id: Option<String>,
}

/// The newest plan with the wakes planned to serve between its making and the end of its horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    pub plan_id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub horizon_end: Timestamp,
    /// `forecast-only` or `act`.
    pub mode: String,
    pub model_version: u64,
    pub wakes: Vec<PlannedView>,
    /// How many instances were left out.
    pub omissions: u64,
    /// The same by reason.
    pub omitted: BTreeMap<String, u64>,
}

/// An instance the newest plan left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OmissionView {
    pub instance_id: String,
    /// Its name in tables and metrics.
    pub reason: String,
    /// The same in words.
    pub detail: String,
}

/// A page of omissions, in order of instance.
pub type OmissionPage = Page<OmissionView>;

impl From<PlannedRow> for PlannedView {
    fn from(row: PlannedRow) -> Self {
        Self {
            instance_id: row.instance.into(),
            host_id: row.host.into(),
            plan_id: row.plan_id,
            due_at: row.due_at,
            serve_at: row.serve_at,
            probability: row.probability,
            why: row.why,
            wake_id: row.wake.map(Into::into),
        }
    }
}

impl From<OmissionRow> for OmissionView {
    fn from(row: OmissionRow) -> Self {
        Self { instance_id: row.instance.into(), reason: row.code, detail: row.detail }
    }
}

impl PlanView {
    pub(crate) fn new(plan: PlanRow, planned: Vec<PlannedRow>) -> Self {
        Self {
            plan_id: plan.plan_id,
            made_at: plan.made_at,
            horizon_end: plan.horizon_end,
            mode: plan.mode,
            model_version: plan.model_version,
            wakes: planned.into_iter().map(Into::into).collect(),
            omissions: plan.omissions,
            omitted: plan.omitted,
        }
    }
}
