//! A host: who is there, how loaded, and whether its gate is open.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A host as its agent last described it, and as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostView {
    pub host_id: String,
    pub host_class: String,
    pub zone: String,
    pub cores: f64,
    pub agent_version: String,
    pub connected: bool,
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// Share of all its cores in use, 0-100; none without a load of the present session.
    pub cpu_percent: Option<f64>,
    pub load_age_ms: Option<i64>,
    /// Wakes that hold a permit here.
    pub active_wakes: u32,
    /// Wakes it may run at once now.
    pub wakes_limit: u32,
    /// `open`, or the name of what closes it: `no_load`, `stale_load`, `over_ceiling`, `host_full`, ...; `elsewhere` where another
    /// controller has the session.
    pub gate: String,
    /// The same in words; empty when it is open.
    pub gate_detail: String,
    pub instances: u32,
}
