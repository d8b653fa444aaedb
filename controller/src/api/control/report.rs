//! The report of a span: everything the pure scorecard is made from, read from the store.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::WakeId;

use super::Control;
use crate::{
    api::ControlError,
    outcome::{Outcome, WakeFacts},
    report::{BASELINE_DAYS, HostPeak, ReportInput, Scorecard, WakeRecord, scorecard},
    store::{Store, StoreError, WakeFilter},
    visits::Visit,
    wake::Wake,
};

/// Span of a report that names none.
const PERIOD_DEFAULT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Read before the baseline, so that the scorecard sees that the log reaches back to its start.
const BEFORE_BASELINE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Wakes are created at most so long before they are due.
const CREATED_BEFORE_DUE_MAX: SignedDuration = SignedDuration::from_hours(48);
/// A wake started later than this after it was due was kept waiting.
const DELAYED_AFTER: SignedDuration = SignedDuration::from_secs(60);

impl Control {
    /// Without `to`, up to now; without `from`, the seven days before `to`.
    pub async fn report(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Scorecard, ControlError> {
        let to = to.unwrap_or_else(|| self.now());
        let from = from.unwrap_or_else(|| to.saturating_sub(PERIOD_DEFAULT).unwrap_or(to));
        if from >= to {
            return Err(ControlError::invalid("from", format!("is {from}, which is not before `to`, {to}")));
        }
        let store = &self.shared.store;
        let first_act_wake_at = store.wakes_first_forecast_at().await?;
        let visits = visits(store, (from, to), first_act_wake_at).await?;
        let (wakes, wakes_delayed) = wakes(store, from, to).await?;
        let instances = store.instances_list(None, 0).await?;
        let policy = self.shared.policy();
        let hosts = hosts(store, from, to, policy.cpu_ceiling_percent).await?;
        let units = self.units(&instances, to).await?;
        let hosted = instances.iter().filter(|row| row.host.is_some()).count() as u64;
        let cohorts = instances.into_iter().map(|row| (row.instance, row.cohort)).collect();
        let earliest = visits.iter().map(|visit| visit.arrived_at).min().unwrap_or(from);
        let models = store.models_served_at(earliest, to).await?;
        Ok(scorecard(&ReportInput {
            from,
            to,
            visits: &visits,
            wakes: &wakes,
            cohorts: &cohorts,
            instances: hosted,
            first_act_wake_at,
            hosts: &hosts,
            wakes_delayed,
            units: &units,
            hold_out_share: self.shared.config.plan.hold_out_share,
            quiet_dates: &policy.quiet_dates,
            models: &models,
        }))
    }
}

/// Visits of the period and of the baseline before the first wake by forecast, each once.
async fn visits(
    store: &Store,
    (from, to): (Timestamp, Timestamp),
    first_act_wake_at: Option<Timestamp>,
) -> Result<Vec<Visit>, StoreError> {
    let acted_at = first_act_wake_at.unwrap_or(to);
    let reach = SignedDuration::from_hours(24 * BASELINE_DAYS) + BEFORE_BASELINE;
    let baseline_from = acted_at.saturating_sub(reach).unwrap_or(Timestamp::MIN);
    if acted_at < from {
        let mut visits = store.visits_between(baseline_from, acted_at).await?;
        visits.extend(store.visits_between(from, to).await?);
        return Ok(visits);
    }
    if to < baseline_from {
        let mut visits = store.visits_between(from, to).await?;
        visits.extend(store.visits_between(baseline_from, acted_at).await?);
        return Ok(visits);
    }
    store.visits_between(from.min(baseline_from), to.max(acted_at)).await
}

/// Wakes due in the period that are over, and how many of them were kept waiting.
async fn wakes(store: &Store, from: Timestamp, to: Timestamp) -> Result<(Vec<WakeRecord>, u64), StoreError> {
    let created_from = from.saturating_sub(CREATED_BEFORE_DUE_MAX).unwrap_or(from);
    let filter = WakeFilter {
        state: Some("ended".into()),
        from: Some(created_from),
        to: Some(to),
        ..WakeFilter::default()
    };
    let due = |wake: &Wake| from <= wake.due_at && wake.due_at < to;
    let wakes: Vec<Wake> = store.wakes_list(&filter).await?.into_iter().filter(due).collect();
    let outcomes = store.outcomes_between(created_from, to).await?;
    let mut outcomes: BTreeMap<WakeId, Outcome> =
        outcomes.into_iter().map(|row| (row.outcome.wake, row.outcome)).collect();
    let delayed = wakes.iter().filter(|wake| was_delayed(wake)).count() as u64;
    let records = wakes.iter().filter_map(|wake| {
        let outcome = outcomes.remove(&wake.id);
        WakeFacts::of(wake).map(|facts| WakeRecord { facts, outcome })
    });
    Ok((records.collect(), delayed))
}

fn was_delayed(wake: &Wake) -> bool {
    wake.dispatched_at.is_some_and(|at| at.duration_since(wake.due_at) > DELAYED_AFTER)
}

async fn hosts(
    store: &Store,
    from: Timestamp,
    to: Timestamp,
    cpu_ceiling_percent: f64,
) -> Result<Vec<HostPeak>, StoreError> {
    let peaks = store.host_load_max(from, to).await?.into_iter().map(|(host, max, above)| HostPeak {
        host,
        cpu_max_percent: max,
        cpu_ceiling_percent,
        above_ceiling_percent: 100.0 * above,
    });
    Ok(peaks.collect())
}
