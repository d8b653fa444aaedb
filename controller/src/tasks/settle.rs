//! What time says, and the verdict at the end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::info;

use super::{Task, TaskError, perform};
use crate::{
    app::Shared,
    fleet::Ask,
    outcome::{WakeFacts, judge},
    store::{HostLoad, OutcomeRow, StoreError, VisitSpan},
    wake::{Event, Priority, State, Wake},
};

/// A controller that holds a host's session has so long to end what is late there, before the leader does.
const OTHERS_HAVE_S: i64 = 15;

/// Ended wakes judged in one activation.
const JUDGED_AT_ONCE_MAX: u32 = 1000;

/// Between two looks for verdicts, on the clock of what was read: every wake of the last hours is read for one. With the period
/// below this is every second activation.
const JUDGED_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// Between two writes of the load, which is kept by the hour: a row of each host each time. What a crash takes with it is a minute
/// of a statistic.
const LOAD_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Deadlines, expiries, verdicts, load by the hour.
#[derive(Debug)]
pub struct Settle {
    shared: Shared,
    /// What was read when verdicts were last looked for; none where some were left over.
    judged_at: Option<Timestamp>,
    load_kept_at: Option<Timestamp>,
}

impl Settle {
    pub fn new(shared: Shared) -> Self {
        Self { shared, judged_at: None, load_kept_at: None }
    }

    /// Ends what is past its time.
    async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.shared.clock.now();
        let rule = self.shared.config.wake.retry_rule();
        let overdue = self.shared.store.wakes_overdue(now, &rule).await?;
        for id in &overdue {
            let Some(wake) = self.shared.store.wake_get(*id).await? else { continue };
            let host = wake.state.run().map(|run| run.host.clone());
            let host_connected =
                host.is_some_and(|host| self.shared.fleet.live(&host).is_some_and(|l| l.connected));
            if !host_connected && !self.is_ours(&wake, now) {
                continue;
            }
            let held_by = self.held_by(&wake, now);
            let tick = Event::Tick { at: now, host_connected, held_by };
            let (wake, effects) = self.shared.store.wake_step(*id, &tick, &rule).await?;
            if let Some(end) = wake.state.ended() {
                info!(wake_id = %id, instance_id = %wake.instance, %end, detail = wake.detail, "wake ended");
                self.shared.metrics.wake_ended(end);
            }
            perform(&self.shared, &wake, &effects).await;
        }
        Ok(overdue.len())
    }

    /// Why a queued wake does not start, as far as this controller can tell.
    fn held_by(&self, wake: &Wake, now: Timestamp) -> Option<String> {
        if !matches!(wake.state, State::Queued { .. }) {
            return None;
        }
        let (fleet, policy) = (&self.shared.fleet, self.shared.policy());
        let is_forecast = wake.priority == Priority::Forecast;
        if policy.stopped || (policy.paused && is_forecast) {
            let what = if policy.stopped { "everything is stopped" } else { "forecasts are paused" };
            return Some(format!("{what} (policy)"));
        }
        let host = self.shared.board.lock().get(wake.id).map(|queued| queued.host.clone())?;
        let Some(host) = host else { return Some("no agent lists the instance".to_owned()) };
        if policy.drained_hosts.contains(&host) {
            return Some(format!("{host} is drained (policy)"));
        }
        if !fleet.live(&host).is_some_and(|live| live.connected) {
            return Some(format!("{host} is not connected here"));
        }
        let ask = Ask {
            host: &host,
            instance: Some(&wake.instance),
            is_for_person: !is_forecast,
            fleet_active: fleet.active(),
            policy: &policy,
            now,
        };
        fleet.ask(&ask).err().map(|closed| format!("{host}: {closed}"))
    }

    /// What is late on a host without a session here is for the leader to end, when no other controller did so in time.
    fn is_ours(&self, wake: &Wake, now: Timestamp) -> bool {
        if !self.shared.lead.is_held(now) {
            return false;
        }
        let others_have = SignedDuration::from_secs(OTHERS_HAVE_S);
        let grace = SignedDuration::from_secs(self.shared.config.wake.deadline_grace_s.into());
        let late_since = wake.state.run().map(|run| run.deadline_at + grace);
        !self.shared.store.is_shared()
            || late_since.is_none_or(|since| now.duration_since(since) >= others_have)
    }

    /// Looks for the visit each ended wake was for.
    async fn judge(&mut self) -> Result<usize, StoreError> {
        // Later visits may still stand in logs nobody has read: a verdict waits for them.
        let now = self.shared.logs_read_until();
        // Either way: a clock may have been put back.
        if self.judged_at.is_some_and(|judged_at| now.duration_since(judged_at).abs() < JUDGED_EVERY) {
            return Ok(0);
        }
        let window = SignedDuration::from_secs(self.shared.config.plan.window_s.into());
        let unjudged = self.shared.store.wakes_unjudged(JUDGED_AT_ONCE_MAX).await?;
        let (mut facts, mut spans) = (Vec::new(), Vec::new());
        for wake in &unjudged {
            let Some(of_wake) = WakeFacts::of(wake) else { continue };
            spans.push(VisitSpan {
                instance: wake.instance.clone(),
                from: wake.created_at.min(wake.due_at),
                to: of_wake.ended_at + window,
            });
            facts.push(of_wake);
        }
        let visits = self.shared.store.visits_within(&spans).await?;
        let mut judged = 0;
        for (facts, visits) in facts.iter().zip(visits) {
            if let Some(outcome) = judge(facts, &visits, window, now) {
                self.shared.store.outcome_keep(&OutcomeRow { outcome, judged_at: now }).await?;
                judged += 1;
            }
        }
        self.judged_at = (unjudged.len() < JUDGED_AT_ONCE_MAX as usize).then_some(now);
        Ok(judged)
    }

    async fn keep_load(&mut self) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        for (class, curve) in self.shared.fleet.take_learned_curves() {
            self.shared.store.start_curve_keep(&class, &curve, now).await?;
        }
        // Either way: a clock may have been put back.
        if self.load_kept_at.is_some_and(|kept_at| now.duration_since(kept_at).abs() < LOAD_EVERY) {
            return Ok(());
        }
        let loads = self.shared.fleet.take_load_hours().into_iter().map(|(host, hour)| HostLoad {
            host,
            samples: hour.samples,
            cpu_percent_max: hour.cpu_percent_max,
            over_ceiling: hour.over_ceiling,
        });
        self.shared.store.hosts_load_add(&loads.collect::<Vec<_>>(), now).await?;
        self.load_kept_at = Some(now);
        Ok(())
    }
}

impl Task for Settle {
    const NAME: &'static str = "settle";

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        let swept = self.sweep().await?;
        let leads = self.shared.lead.is_held(self.shared.clock.now());
        let judged = if leads { self.judge().await? } else { 0 };
        self.keep_load().await?;
        Ok(if swept + judged > 0 {
            format!("{swept} past their time, {judged} judged")
        } else {
            String::new()
        })
    }
}
