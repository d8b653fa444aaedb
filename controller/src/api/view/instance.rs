//! An instance: where it lives and when it was last in use.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Page;
use crate::{policy::Policy, store::InstanceRow};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceView {
    pub instance_id: String,
    /// None when no connected or known agent lists it: it cannot be woken.
    pub host_id: Option<String>,
    pub cohort: String,
    /// IANA name.
    pub time_zone: String,
    /// The policy keeps it from being woken by forecast.
    pub opted_out: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_seen_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen_at: Option<Timestamp>,
}

/// A page of instances, in order of id.
pub type InstancePage = Page<InstanceView>;

impl InstanceView {
    /// `zone_default` is that of instances of its cohort which name no other.
    pub(crate) fn new(row: &InstanceRow, policy: &Policy, zone_default: &str) -> Self {
        let opted_out = policy.opted_out.contains(&row.instance);
        let time_zone = if row.time_zone.is_empty() { zone_default } else { &row.time_zone };
        Self {
            instance_id: row.instance.to_string(),
            host_id: row.host.as_ref().map(ToString::to_string),
            cohort: row.cohort.clone(),
            time_zone: time_zone.to_owned(),
            opted_out,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
        }
    }
}
