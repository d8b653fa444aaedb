//! A controller: where it answers, when it was there, and whether it leads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One start of a controller on this database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ControllerView {
    pub controller_id: String,
    pub version: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it last said that it is there, by its own clock.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    pub grpc_address: String,
    pub http_address: String,
    /// Whether it holds the lease to lead. One that is gone holds it until another has taken it.
    pub leads: bool,
    /// Whether it is the one that answers.
    pub answers: bool,
}
