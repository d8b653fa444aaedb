//! Forgets what is older than it is kept.

use std::time::Duration;

use jiff::SignedDuration;
use tracing::warn;

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

    /// Of receivers that are gone or no longer configured: nobody else would ever end them.
    async fn give_up_notifications(&self) -> Result<(), TaskError> {
        let (config, now) = (&self.shared.config.notify, self.shared.clock.now());
        let receivers = config.receivers().map_err(|error| TaskError::Config(error.to_string()))?;
        let served = self.shared.receivers.served(receivers.names());
        let deadline = SignedDuration::from_secs(config.give_up_after_s.into());
        let before = now.saturating_sub(deadline).unwrap_or(now);
        let given_up = self.shared.store.notifications_abandon(&served, (before, now)).await?;
        if given_up > 0 {
            warn!(given_up, "notifications are given up: nothing is sent to their receivers");
        }
        Ok(())
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
        self.give_up_notifications().await?;
        Ok(if rows > 0 { format!("{rows} rows forgotten") } else { String::new() })
    }
}
