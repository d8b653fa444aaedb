//! `step(wake, event) -> (wake, effects)`: the only place where a wake changes.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    edge::{self, AttemptResult, Outcome, Phase},
    planted,
};

use super::{Effect, End, Endpoint, Event, Illegal, Priority, Run, State, Wake};
use crate::queue;

/// How often and how soon a failed attempt is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryRule {
    /// Failed attempts after which the wake ends; a refusal by a hot host does not count.
    pub attempts_max: u32,
    pub backoff_base_s: u32,
    pub backoff_max_s: u32,
    /// How long after the deadline an agent's result is still waited for.
    pub deadline_grace_s: u32,
}

impl Default for RetryRule {
    fn default() -> Self {
        Self { attempts_max: 3, backoff_base_s: 10, backoff_max_s: 300, deadline_grace_s: 60 }
    }
}

type Stepped = Result<(Wake, Vec<Effect>), Illegal>;

/// What `event` makes of `wake`. An unchanged wake with no effects means the event was a repetition.
pub fn step(wake: &Wake, event: &Event, rule: &RetryRule) -> Stepped {
    let next = wake.clone();
    match event {
        Event::Dispatch { .. } => dispatch(next, event),
        Event::Progress { attempt, phase, at } => Ok((progress(next, *attempt, *phase, *at), Vec::new())),
        Event::Result { result, at, jitter } => Ok(attempt_ended(next, result, *at, *jitter, rule)),
        Event::Reconnected { epoch, journal_id, .. } => Ok(reconnected(next, *epoch, journal_id)),
        Event::Join { by, at, expires_at } => join(next, by, *at, *expires_at),
        Event::Cancel { by, at } => cancel(next, by, *at),
        Event::Force { by, at } => force(next, by, *at),
        Event::Tick { at, host_connected, held_by } => {
            Ok(tick(next, *at, *host_connected, held_by.as_deref(), rule))
        }
    }
}

fn illegal(wake: &Wake, event: &'static str, why: impl Into<String>) -> Illegal {
    Illegal { event, state: wake.state.name(), why: why.into() }
}

fn end(mut wake: Wake, end: End, at: Timestamp, detail: impl Into<String>) -> (Wake, Vec<Effect>) {
    wake.state = State::Ended { end, at };
    wake.detail = detail.into();
    (wake, vec![Effect::LookAtQueue])
}

fn dispatch(mut wake: Wake, event: &Event) -> Stepped {
    let Event::Dispatch { host, epoch, journal_id, at, deadline_at, grant } = event else {
        return Err(illegal(&wake, event.name(), "not a dispatch"));
    };
    let State::Queued { attempt, failures, not_before } = wake.state else {
        return Err(illegal(&wake, "dispatch", "only a queued wake can be dispatched"));
    };
    // Somebody who waits is due, whatever a clock said before.
    let is_early = *at < not_before && !wake.is_due_at_once();
    if is_early || *at >= wake.expires_at {
        return Err(illegal(&wake, "dispatch", format!("{at} is outside {not_before}..{}", wake.expires_at)));
    }
    let run = Run {
        host: host.clone(),
        epoch: *epoch,
        attempt,
        dispatched_at: *at,
        deadline_at: *deadline_at,
        journal_id: journal_id.clone(),
        failures: if failures > 0 && planted!("failures-forgotten") { 0 } else { failures },
        cancel_requested: false,
    };
    wake.last_host = Some(host.clone());
    wake.last_attempt = attempt;
    wake.dispatched_at = Some(*at);
    wake.detail = format!("sent to {host}: {grant}");
    wake.state = State::Dispatched { run };
    Ok((wake, vec![Effect::SendWake { look_only: false }]))
}

fn progress(mut wake: Wake, attempt: u32, phase: Phase, at: Timestamp) -> Wake {
    let Some(run) = wake.state.run().filter(|run| run.attempt == attempt).cloned() else {
        // Late word of an attempt that is over: nothing to learn from it.
        return wake;
    };
    let state = match (phase, &wake.state) {
        (Phase::Calling, State::Dispatched { .. }) => State::Calling { run },
        (
            Phase::Accepted,
            State::Dispatched { .. }
            | State::Calling { .. }
            | State::Starting { endpoint: Endpoint::Unknown, .. },
        ) => State::Starting { run, endpoint: Endpoint::Accepted },
        (Phase::Unknown, State::Dispatched { .. } | State::Calling { .. }) => {
            State::Starting { run, endpoint: Endpoint::Unknown }
        }
        _ => return wake,
    };
    wake.detail = match &state {
        State::Calling { run } => format!("{} is calling the wake endpoint", run.host),
        State::Starting { run, endpoint: Endpoint::Unknown } => {
            format!("the answer of the endpoint was lost; {} waits until it serves", run.host)
        }
        _ => "the endpoint accepted; waiting until it serves".into(),
    };
    wake.called_at.get_or_insert(at);
    wake.state = state;
    wake
}

fn attempt_ended(
    mut wake: Wake,
    result: &AttemptResult,
    at: Timestamp,
    jitter: f64,
    rule: &RetryRule,
) -> (Wake, Vec<Effect>) {
    let Some(run) = wake.state.run().filter(|run| run.attempt == result.attempt).cloned() else {
        if wake.state.ended().is_some() && planted!("late-result-overwrites-the-end") {
            return end(wake, End::Woken, at, "serves");
        }
        // A repeated result, or one of an attempt already given up: acknowledged, and nothing changes.
        return (wake, Vec::new());
    };
    if let Some(called_at) = result.called_at {
        wake.called_at.get_or_insert(called_at);
    }
    wake.serving_at = result.serving_at;
    match result.outcome {
        Outcome::Woken => end(wake, End::Woken, at, "serves"),
        Outcome::AlreadyAwake => end(wake, End::AlreadyAwake, at, "served already"),
        Outcome::Cancelled => {
            let said = [wake.detail.as_str(), result.detail.as_str()];
            let detail = said.into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; ");
            end(wake, End::Cancelled, at, detail)
        }
        Outcome::TimedOut => end(wake, End::TimedOut, at, &*result.detail),
        Outcome::Refused => again_or_end(wake, &run, result, (at, jitter), rule, End::Refused),
        Outcome::Failed | Outcome::Unspecified => {
            again_or_end(wake, &run, result, (at, jitter), rule, End::Failed)
        }
    }
}

/// Tries again where that is safe and still in time; otherwise the wake ends as `otherwise`.
fn again_or_end(
    mut wake: Wake,
    run: &Run,
    result: &AttemptResult,
    (at, jitter): (Timestamp, f64),
    rule: &RetryRule,
    otherwise: End,
) -> (Wake, Vec<Effect>) {
    if run.cancel_requested {
        return end(wake, End::Cancelled, at, format!("cancelled; {}", result.detail));
    }
    let failures = run.failures + u32::from(otherwise == End::Failed);
    let safe = result.retryable && result.effect == edge::Effect::None;
    if !safe || (failures >= rule.attempts_max && !planted!("attempts-unbounded")) {
        return end(wake, otherwise, at, &*result.detail);
    }
    let wait = queue::backoff(rule, failures.max(1), result.retry_after_s, jitter);
    let not_before = at.saturating_add(wait).unwrap_or(at);
    if not_before >= wake.expires_at {
        return end(wake, otherwise, at, format!("{}; another attempt would be too late", result.detail));
    }
    wake.detail = format!("attempt {} ended: {}", run.attempt, result.detail);
    wake.state = State::Queued { attempt: run.attempt + 1, failures, not_before };
    (wake, vec![Effect::LookAtQueue])
}

/// The command is sent again under the new epoch; the agent's journal makes that harmless. With another journal
/// nobody remembers whether the endpoint was called, so the agent may only look.
fn reconnected(mut wake: Wake, epoch: u64, journal_id: &str) -> (Wake, Vec<Effect>) {
    let Some(run) = wake.state.run_mut() else {
        return (wake, Vec::new());
    };
    let look_only = run.journal_id != journal_id;
    run.epoch = epoch;
    let mut effects = vec![Effect::SendWake { look_only }];
    if run.cancel_requested {
        effects.push(Effect::SendCancel);
    }
    (wake, effects)
}

fn join(mut wake: Wake, by: &str, at: Timestamp, expires_at: Timestamp) -> Stepped {
    match &mut wake.state {
        State::Ended { .. } => Err(illegal(&wake, "join", "it is over; a new wake is needed")),
        State::Queued { not_before, failures, .. } => {
            // A person does not wait for a forecast's time, nor for a forecast's expiry; but an endpoint that failed
            // is left alone as long as without the person.
            if *failures == 0 {
                *not_before = (*not_before).min(at);
            }
            wake.due_at = wake.due_at.min(at);
            wake.priority = Priority::Person;
            wake.expires_at = wake.expires_at.max(expires_at);
            wake.detail = format!("{by} asked too");
            Ok((wake, vec![Effect::LookAtQueue]))
        }
        _ => {
            wake.priority = Priority::Person;
            Ok((wake, Vec::new()))
        }
    }
}

fn cancel(mut wake: Wake, by: &str, at: Timestamp) -> Stepped {
    if let State::Queued { .. } = wake.state {
        return Ok(end(wake, End::Cancelled, at, format!("cancelled by {by} before it was started")));
    }
    let Some(run) = wake.state.run_mut() else {
        return Err(illegal(&wake, "cancel", "it is over already"));
    };
    if run.cancel_requested {
        return Ok((wake, Vec::new()));
    }
    run.cancel_requested = true;
    wake.detail = format!("cancel asked for by {by}");
    Ok((wake, vec![Effect::SendCancel]))
}

/// The agent is told to stop; what it did is known to the endpoint alone.
fn force(wake: Wake, by: &str, at: Timestamp) -> Stepped {
    if wake.state.ended().is_some() {
        return Err(illegal(&wake, "force", "it is over already"));
    }
    let was_running = wake.state.run().is_some();
    let detail = format!("ended by {by} while it was {}", wake.state.name());
    let (wake, mut effects) = end(wake, End::Cancelled, at, detail);
    if was_running {
        effects.push(Effect::SendCancel);
    }
    Ok((wake, effects))
}

fn tick(
    wake: Wake,
    at: Timestamp,
    host_connected: bool,
    held_by: Option<&str>,
    rule: &RetryRule,
) -> (Wake, Vec<Effect>) {
    let grace = SignedDuration::from_secs(rule.deadline_grace_s.into());
    match &wake.state {
        State::Queued { .. } if at >= wake.expires_at && !planted!("queued-never-expires") => {
            let last = held_by.unwrap_or(&wake.detail);
            let detail = format!("not started in time; last: {last}");
            end(wake, End::Expired, at, detail)
        }
        State::Dispatched { run } | State::Calling { run } | State::Starting { run, .. }
            if at >= run.deadline_at.saturating_add(grace).unwrap_or(run.deadline_at) =>
        {
            let host = run.host.clone();
            if host_connected {
                let detail = format!("{host} gave no result by the deadline");
                let (wake, mut effects) = end(wake, End::TimedOut, at, detail);
                effects.push(Effect::SendCancel);
                (wake, effects)
            } else {
                end(wake, End::HostLost, at, format!("the agent of {host} was gone at the deadline"))
            }
        }
        _ => (wake, Vec::new()),
    }
}
