//! The controllers on this database.

use jiff::SignedDuration;

use super::Control;
use crate::{
    api::{ControlError, view::ControllerView},
    tasks::LEASE,
};

/// Who was not there for so long is history.
const SHOWN_FOR: SignedDuration = SignedDuration::from_hours(1);

impl Control {
    /// Those that were there within the last hour, in order of their start.
    pub async fn controllers(&self) -> Result<Vec<ControllerView>, ControlError> {
        let (store, me) = (&self.shared.store, &self.shared.controller);
        let is_alone = !store.is_shared();
        let leader = if is_alone { None } else { store.lease_read(LEASE).await? };
        let now = self.now();
        let mut rows = store.controllers_list().await?;
        for row in rows.iter_mut().filter(|row| row.controller == *me) {
            // Alone, nobody else asks when it was there.
            row.seen_at = now;
        }
        rows.retain(|row| now.duration_since(row.seen_at) < SHOWN_FOR);
        rows.sort_by_key(|row| row.epoch);
        let view = |row: crate::store::ControllerRow| ControllerView {
            leads: leader
                .as_ref()
                .map_or(is_alone && row.controller == *me, |lease| lease.holder == row.controller),
            answers: row.controller == *me,
            controller_id: row.controller,
            version: row.version,
            started_at: row.started_at,
            seen_at: row.seen_at,
            grpc_address: row.grpc_address,
            http_address: row.http_address,
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
