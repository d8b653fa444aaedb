//! What agents say, what time says, and the verdict at the end.

use std::time::Duration;

use jiff::SignedDuration;
use reveille_proto::{HostId, WakeId, edge::AttemptResult};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Task, TaskError, perform, reconcile::by_host};
use crate::{
    app::Shared,
    fleet::AgentEvent,
    outcome::{WakeFacts, judge},
    store::{OutcomeRow, StoreError},
    wake::{End, Event, Wake},
};

/// Ended wakes judged in one activation.
const JUDGED_AT_ONCE_MAX: u32 = 1000;

/// Takes the agents' words one after the other, so that they stay in order.
pub async fn listen(shared: Shared, mut events: UnboundedReceiver<AgentEvent>, shutdown: CancellationToken) {
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return,
            event = events.recv() => event,
        };
        let Some(event) = event else { return };
        if let Err(error) = heard(&shared, event).await {
            // What was not taken is said again: results until acknowledged, the rest at the next hello.
            let error = anyhow::Error::new(error);
            warn!(error = format!("{error:#}"), "the word of an agent was not taken");
        }
    }
}

async fn heard(shared: &Shared, event: AgentEvent) -> Result<(), StoreError> {
    match event {
        AgentEvent::Connected { host, journal_id } => reconnected(shared, &host, &journal_id).await,
        AgentEvent::Progress { host, progress } => {
            let event =
                Event::Progress { attempt: progress.attempt, phase: progress.phase, at: shared.clock.now() };
            stepped(shared, &host, progress.wake, &event).await.map(|_| ())
        }
        AgentEvent::Result { host, result } => ended(shared, &host, &result).await,
    }
}

/// Every wake that was under way on the host is sent again; the agent's journal makes that harmless.
async fn reconnected(shared: &Shared, host: &HostId, journal_id: &str) -> Result<(), StoreError> {
    let wakes = shared.store.wakes_running_on(host).await?;
    let permits = by_host(&wakes).remove(host).unwrap_or_default();
    shared.fleet.reconcile(host, &permits, shared.clock.now());
    for wake in wakes {
        let now = shared.clock.now();
        let event = Event::Reconnected { epoch: shared.epoch, journal_id: journal_id.to_owned(), at: now };
        stepped(shared, host, wake.id, &event).await?;
    }
    shared.signals.dispatch.notify_one();
    Ok(())
}

async fn ended(shared: &Shared, host: &HostId, result: &AttemptResult) -> Result<(), StoreError> {
    let event = Event::Result { result: result.clone(), at: shared.clock.now(), jitter: shared.jitter() };
    let wake = stepped(shared, host, result.wake, &event).await?;
    if let Some((wake, end)) = wake.and_then(|wake| wake.state.ended().map(|end| (wake, end))) {
        info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %host, %end, detail = wake.detail, "wake ended");
        shared.metrics.wake_ended(end);
        if let (Some(sent), Some(serving)) =
            (wake.dispatched_at, wake.serving_at.filter(|_| end == End::Woken))
        {
            shared.metrics.wake_took(wake.reason, serving.duration_since(sent).as_secs_f64());
        }
    }
    // Acknowledged only now that the move is on disk. A result of a wake nobody knows is acknowledged too:
    // after a restored database the agent would otherwise repeat it for ever.
    shared.fleet.send_result_ack(host, result);
    Ok(())
}

/// Steps and performs. `None` when the wake is unknown or the event impossible: said, and nothing more.
async fn stepped(
    shared: &Shared,
    host: &HostId,
    id: WakeId,
    event: &Event,
) -> Result<Option<Wake>, StoreError> {
    // Only the host a wake was sent to can say anything about it.
    let sent_to = shared.store.wake_get(id).await?.and_then(|wake| wake.last_host);
    if sent_to.as_ref().is_some_and(|sent_to| sent_to != host) {
        warn!(wake_id = %id, host_id = %host, event = event.name(), "an agent speaks of a wake of another host");
        return Ok(None);
    }
    match shared.store.wake_step(id, event, &shared.config.wake.retry_rule()).await {
        Ok((wake, effects)) => {
            debug!(wake_id = %id, instance_id = %wake.instance, host_id = %host, event = event.name(), state = wake.state.name());
            perform(shared, &wake, &effects).await;
            Ok(Some(wake))
        }
        Err(problem @ (StoreError::NoWake(_) | StoreError::Wake(_) | StoreError::BadRow { .. })) => {
            warn!(wake_id = %id, host_id = %host, event = event.name(), %problem, "the word of an agent fits no wake");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Deadlines, expiries, verdicts, load by the hour.
#[derive(Debug)]
pub struct Settle {
    shared: Shared,
}

impl Settle {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
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
            let (wake, effects) =
                self.shared.store.wake_step(*id, &Event::Tick { at: now, host_connected }, &rule).await?;
            if let Some(end) = wake.state.ended() {
                info!(wake_id = %id, instance_id = %wake.instance, %end, detail = wake.detail, "wake ended");
                self.shared.metrics.wake_ended(end);
            }
            perform(&self.shared, &wake, &effects).await;
        }
        Ok(overdue.len())
    }

    /// Looks for the visit each ended wake was for.
    async fn judge(&self) -> Result<usize, StoreError> {
        let window = SignedDuration::from_secs(self.shared.config.plan.window_s.into());
        // Later visits may still stand in logs nobody has read: a verdict waits for them.
        let now = self.shared.logs_read_until();
        let mut judged = 0;
        for wake in self.shared.store.wakes_unjudged(JUDGED_AT_ONCE_MAX).await? {
            let Some(facts) = WakeFacts::of(&wake) else { continue };
            let visits = self
                .shared
                .store
                .visits_of(&wake.instance, wake.created_at.min(wake.due_at), facts.ended_at + window)
                .await?;
            if let Some(outcome) = judge(&facts, &visits, window, now) {
                self.shared.store.outcome_keep(&OutcomeRow { outcome, judged_at: now }).await?;
                judged += 1;
            }
        }
        Ok(judged)
    }

    async fn keep_load(&self) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        for (host, hour) in self.shared.fleet.take_load_hours() {
            let (samples, max, over) = (hour.samples, hour.cpu_percent_max, hour.over_ceiling);
            self.shared.store.host_load_add(&host, now, samples, max, over).await?;
        }
        for (class, curve) in self.shared.fleet.take_learned_curves() {
            self.shared.store.start_curve_keep(&class, &curve, now).await?;
        }
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
        let judged = self.judge().await?;
        self.keep_load().await?;
        Ok(if swept + judged > 0 {
            format!("{swept} past their time, {judged} judged")
        } else {
            String::new()
        })
    }
}
