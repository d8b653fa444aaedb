//! When a wake endpoint is left alone.

use serde::Deserialize;

/// What holds for all wake endpoints.
///
/// An endpoint that fails `breaker_failures` times in a row, or in `breaker_share_percent` of the last `breaker_calls`, is
/// passed over for `breaker_open_s`, and each time longer if it then fails again. Counted by authority for all instances,
/// and for each instance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoints {
    /// No `Retry-After` is taken to be longer.
    pub retry_after_max_s: u32,
    pub breaker_failures: u32,
    pub breaker_calls: u32,
    pub breaker_share_percent: f64,
    pub breaker_open_s: u32,
    pub breaker_open_max_s: u32,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            retry_after_max_s: 600,
            breaker_failures: 5,
            breaker_calls: 20,
            breaker_share_percent: 60.0,
            breaker_open_s: 15,
            breaker_open_max_s: 300,
        }
    }
}
