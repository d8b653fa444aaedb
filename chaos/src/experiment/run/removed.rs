//! Who ended a fault, and what is known of it then.

use serde::{Deserialize, Serialize};

/// Why a fault is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedBy {
    /// Its time was over.
    Due,
    /// Somebody asked for it: a rollback.
    Request,
    /// Nobody renewed the lease: whoever ran the experiment is gone.
    Lease,
    /// The run was over.
    End,
}

/// A fault that was injected, when it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEnd {
    pub id: String,
    pub kind: String,
    /// How often it was met.
    pub hits: u64,
    /// When it began first, in seconds since 1970 on the world's clock; nothing where it never did.
    pub from_s: Option<i64>,
    pub removed_by: RemovedBy,
}
