//! The controller's own figures, for `/metrics`.

use std::sync::Mutex;

use prometheus_client::registry::Registry;

/// Figures of this process. (Grown together with the API.)
#[derive(Debug)]
pub struct Metrics {
    pub registry: Mutex<Registry>,
}

impl Metrics {
    pub fn new() -> Self {
        Self { registry: Mutex::new(Registry::with_prefix("reveille")) }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
