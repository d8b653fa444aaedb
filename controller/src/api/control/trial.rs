//! The hold-out since it began: wishes, visits and verdicts read from the store become units to compare.

use jiff::{SignedDuration, Timestamp};

use super::Control;
use crate::{
    api::ControlError,
    report::effect::{Unit, units},
    store::InstanceRow,
    tasks::zones,
};

/// So much is read at once: memory is bounded by this and by the units, not by all visits ever.
const CHUNK: SignedDuration = SignedDuration::from_hours(28 * 24);
/// Read before and after each chunk: longer than a local day with the window of a wake.
const MARGIN: SignedDuration = SignedDuration::from_hours(2 * 24);

impl Control {
    /// Every unit that was complete at `to` and whose visits are all known, from the beginning of the hold-out. It is
    /// not cut to a period: an interval that may be looked at always has one beginning.
    pub(super) async fn units(
        &self,
        instances: &[InstanceRow],
        to: Timestamp,
    ) -> Result<Vec<Unit>, ControlError> {
        let store = &self.shared.store;
        let Some(began_at) = store.wishes_began_at().await? else { return Ok(Vec::new()) };
        let (zones, zone_default) = zones(instances, &self.shared.config, |_| None)
            .map_err(|error| ControlError::Conflict(error.to_string()))?;
        let cohorts = instances.iter().map(|row| (row.instance.clone(), row.cohort.clone())).collect();
        let window = SignedDuration::from_secs(self.shared.config.plan.window_s.into());
        let known_until = self.shared.logs_read_until().min(to);
        let mut complete = Vec::new();
        let mut from = began_at - MARGIN;
        while from < known_until {
            let until = from + CHUNK;
            let wishes = store.wishes_between(from - MARGIN, until + MARGIN).await?;
            let visits = store.visits_between(from, until + MARGIN).await?;
            let told = store.outcomes_of_arrivals(from, until + MARGIN).await?;
            let zone_of = |instance: &_| zones.get(instance).unwrap_or(&zone_default);
            let chunk = units(&wishes, &visits, &told, &cohorts, zone_of, window);
            let wanted = |unit: &Unit| (from..until).contains(&unit.from) && unit.until <= known_until;
            complete.extend(chunk.into_iter().filter(wanted));
            from = until;
        }
        Ok(complete)
    }
}
