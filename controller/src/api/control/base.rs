//! What an answer is made from.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::forecasts::Serving;
use crate::app::Shared;

/// Answers questions about one controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) shared: Shared,
    /// The model in service, kept in memory until another takes its place.
    pub(super) serving: Arc<Mutex<Option<Arc<Serving>>>>,
}

impl Control {
    pub fn new(shared: Shared) -> Self {
        Self { shared, serving: Arc::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}
