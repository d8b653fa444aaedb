//! Forgets what is older than it is kept.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Task, TaskError};
use crate::app::Shared;

/// Prunes once an hour.
#[derive(Debug)]
pub struct Prune {
    shared: Shared,
}

impl Prune {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

impl Task for Prune {
    const NAME: &'static str = "prune";
    const LEADER_ONLY: bool = true;

    fn period(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let keep = SignedDuration::from_hours(24 * i64::from(self.shared.config.report.keep_days));
        let Ok(before) = self.shared.clock.now().checked_sub(keep) else { return Ok(String::new()) };
        let rows = self.shared.store.prune(before).await?;
        Ok(if rows > 0 { format!("{rows} rows forgotten") } else { String::new() })
    }
}
