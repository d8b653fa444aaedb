//! Takes the next wakes from the queue, asks the throttle for a permit, sends the command.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::HostId;
use tracing::{info, warn};

use super::{
    Task, TaskError,
    learn::{ZoneRules, zone_of},
    perform,
};
use crate::{
    app::Shared,
    fleet::LiveHost,
    policy::{Mode, Policy},
    store::StoreError,
    throttle::{Admission, Closed, Permit, Running, admit},
    wake::{Event, Priority, Reason, Wake},
};

/// Carries out the queue. It chooses nothing: order is the queue's, pace is the throttle's.
#[derive(Debug)]
pub struct Dispatch {
    shared: Shared,
}

type RunningByHost = BTreeMap<HostId, Vec<Running>>;

/// What counts as load besides what is measured.
#[derive(Debug, Default)]
struct InProgress {
    running: RunningByHost,
    settling: RunningByHost,
}

impl Dispatch {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }

    async fn in_progress(&self) -> Result<InProgress, StoreError> {
        let mut wakes = InProgress::default();
        for wake in self.shared.store.wakes_running().await? {
            if let Some(run) = wake.state.run() {
                wakes.running.entry(run.host.clone()).or_default().push(Running { since: run.dispatched_at });
            }
        }
        let lag = SignedDuration::from_secs(self.shared.config.throttle.load_lag_s.into());
        for (host, since) in self.shared.store.wakes_ended_since(self.shared.clock.now() - lag).await? {
            wakes.settling.entry(host).or_default().push(Running { since });
        }
        Ok(wakes)
    }

    /// Starts what may start on one host. Returns how many were sent.
    async fn host(&self, host: &HostId, live: &LiveHost, wakes: &mut InProgress) -> Result<u32, TaskError> {
        let policy = live.policy(&self.shared.policy());
        let now = self.shared.clock.now();
        let due =
            self.shared.store.wakes_due(host, now, policy.host_wakes_max.saturating_mul(4).max(16)).await?;
        let mut sent = 0;
        for wake in due {
            if let Some(why) = self.held_back(&wake, &policy, now).await? {
                self.give_up(&wake, why).await?;
                continue;
            }
            if policy.paused && wake.priority == Priority::Forecast {
                break;
            }
            match self.ask(host, live, wakes, &policy) {
                Ok(permit) => {
                    self.send(host, live, &wake, permit, wakes).await?;
                    sent += 1;
                }
                Err(closed) => {
                    self.shared.metrics.gate_closed(closed.code());
                    break;
                }
            }
        }
        Ok(sent)
    }

    fn ask(
        &self,
        host: &HostId,
        live: &LiveHost,
        wakes: &InProgress,
        policy: &Policy,
    ) -> Result<Permit, Closed> {
        let none = Vec::new();
        admit(&Admission {
            gate: &live.gate,
            load: live.load.as_ref(),
            running: wakes.running.get(host).unwrap_or(&none),
            settling: wakes.settling.get(host).unwrap_or(&none),
            fleet_active: wakes.running.values().map(Vec::len).sum::<usize>() as u32,
            policy,
            rule: &self.shared.config.throttle,
            now: self.shared.clock.now(),
        })
    }

    async fn send(
        &self,
        host: &HostId,
        live: &LiveHost,
        wake: &Wake,
        permit: Permit,
        wakes: &mut InProgress,
    ) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        let active = wakes.running.get(host).map_or(0, Vec::len);
        let event = Event::Dispatch {
            host: host.clone(),
            epoch: self.shared.epoch,
            journal_id: live.journal_id.clone(),
            at: now,
            deadline_at: now + SignedDuration::from_secs(self.shared.config.wake.timeout_s.into()),
            grant: grant_note(live, permit, active, &live.policy(&self.shared.policy())),
        };
        let (wake, effects) =
            self.shared.store.wake_step(wake.id, &event, &self.shared.config.wake.retry_rule()).await?;
        wakes.running.entry(host.clone()).or_default().push(Running { since: now });
        self.shared.metrics.dispatched();
        info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %host, reason = %wake.reason, "wake dispatched");
        perform(&self.shared, &wake, &effects).await;
        Ok(())
    }

    /// Why a forecast wake that was planned earlier may not be started any more.
    async fn held_back(
        &self,
        wake: &Wake,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Option<&'static str>, TaskError> {
        if wake.reason != Reason::Forecast || wake.priority == Priority::Person {
            return Ok(None);
        }
        if policy.mode == Mode::ForecastOnly {
            return Ok(Some("the policy (forecast only)"));
        }
        if policy.opted_out.contains(&wake.instance) {
            return Ok(Some("the policy (opted out)"));
        }
        let days = self.shared.calendars.days();
        if policy.cohorts.is_empty() && policy.quiet_dates.is_empty() && days.is_empty() {
            return Ok(None);
        }
        let Some(row) = self.shared.store.instance_get(&wake.instance).await? else { return Ok(None) };
        if !(policy.cohorts.is_empty() || policy.cohorts.contains(&row.cohort)) {
            return Ok(Some("the policy (cohort not selected)"));
        }
        // A learned offset stays out of it: who has no zone has the quiet days of the default one.
        let zone = zone_of(&row, None, &ZoneRules::of(&self.shared.config)?);
        let wanted_at = wake.serve_at.unwrap_or(now).max(now);
        if days.is_quiet(&row.cohort, &zone, wanted_at) {
            return Ok(Some("a calendar (quiet period)"));
        }
        let date = zone.to_datetime(wanted_at).date();
        Ok(policy.quiet_dates.contains(&date).then_some("the policy (quiet date)"))
    }

    /// A wake the policy has meanwhile ruled out.
    async fn give_up(&self, wake: &Wake, why: &str) -> Result<(), StoreError> {
        let event = Event::Cancel { by: why.to_owned(), at: self.shared.clock.now() };
        self.shared.store.wake_step(wake.id, &event, &self.shared.config.wake.retry_rule()).await?;
        info!(wake_id = %wake.id, instance_id = %wake.instance, why, "wake taken back");
        Ok(())
    }
}

/// What the grant was decided from, kept with the move: oracles and people read it there.
fn grant_note(live: &LiveHost, permit: Permit, active: usize, policy: &Policy) -> String {
    let (cpu, at) =
        live.load.map_or((f64::NAN, Timestamp::UNIX_EPOCH), |load| (load.cpu_percent, load.measured_at));
    format!(
        "cpu_percent={cpu:.1} load_at={at} expected_percent={:.1} ceiling_percent={} active={active} limit={}",
        permit.cpu_percent_expected, policy.cpu_ceiling_percent, permit.limit
    )
}

impl Task for Dispatch {
    const NAME: &'static str = "dispatch";

    fn period(&self) -> Duration {
        Duration::from_millis(self.shared.config.wake.dispatch_interval_ms.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let mut wakes = self.in_progress().await?;
        let mut sent = 0;
        for (host, live) in self.shared.fleet.all() {
            if !live.connected {
                continue;
            }
            match self.host(&host, &live, &mut wakes).await {
                Ok(count) => sent += count,
                // One host's trouble is not the others'.
                Err(error) => warn!(host_id = %host, %error, "failed to dispatch to a host"),
            }
        }
        Ok(if sent > 0 { format!("{sent} wakes sent") } else { String::new() })
    }
}
