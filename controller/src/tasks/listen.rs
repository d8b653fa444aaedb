//! What agents say of their wakes: taken in order, committed many at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId, edge::AttemptResult, points::Step};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{mirror::by_host, perform, perform::perform_result};
use crate::{
    app::Shared,
    fleet::AgentEvent,
    store::StoreError,
    wake::{End, Event, Wake},
};

/// Words committed together: whatever has come in while the last ones were written.
const TOGETHER_MAX: usize = 512;

/// More hosts that connected together are asked for with all others.
const ONE_BY_ONE_MAX: usize = 8;

/// Between two tries while the database does not take them.
const AGAIN: Duration = Duration::from_secs(1);

/// Takes the agents' words in the order they came.
pub async fn listen(shared: Shared, mut events: UnboundedReceiver<AgentEvent>, shutdown: CancellationToken) {
    let mut heard = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            count = events.recv_many(&mut heard, TOGETHER_MAX) => count,
        };
        if count == 0 {
            return;
        }
        // A word that is not on disk is not lost: whoever said it does not say it again before the next hello.
        while let Err(error) = take(&shared, &heard).await {
            let error = anyhow::Error::new(error);
            warn!(error = format!("{error:#}"), words = heard.len(), "words of agents were not taken yet");
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = shared.clock.sleep(AGAIN) => {}
            }
        }
        heard.clear();
    }
}

/// A word that moves a wake.
struct Word {
    host: HostId,
    wake: WakeId,
    event: Event,
    /// To be acknowledged once it is on disk.
    result: Option<AttemptResult>,
}

async fn take(shared: &Shared, heard: &[AgentEvent]) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let mut words = Vec::new();
    let running = running(shared, heard).await?;
    for event in heard {
        match event {
            AgentEvent::Connected { host, journal_id, epoch, in_hand } => {
                let wakes = running.get(host).map(Vec::as_slice).unwrap_or_default();
                call_off(shared, host, in_hand, wakes).await?;
                words.extend(reconnected(shared, host, wakes, (journal_id, *epoch), now));
            }
            AgentEvent::Progress { host, progress } => {
                let event = Event::Progress { attempt: progress.attempt, phase: progress.phase, at: now };
                words.push(Word { host: host.clone(), wake: progress.wake, event, result: None });
            }
            AgentEvent::Result { host, result } => {
                let event = Event::Result { result: result.clone(), at: now, jitter: shared.jitter() };
                words.push(Word {
                    host: host.clone(),
                    wake: result.wake,
                    event,
                    result: Some(result.clone()),
                });
            }
        }
    }
    stepped(shared, words).await
}

/// Every wake that was under way on the host is sent again; the agent's journal makes that harmless.
fn reconnected(
    shared: &Shared,
    host: &HostId,
    wakes: &[Wake],
    (journal_id, epoch): (&str, u64),
    now: Timestamp,
) -> Vec<Word> {
    let permits = by_host(wakes).remove(host).unwrap_or_default();
    shared.fleet.begin(host, epoch, &permits, now);
    shared.signals.dispatch.notify_one();
    let word = |wake: &Wake| {
        let event = Event::Reconnected { epoch, journal_id: journal_id.to_owned(), at: now };
        Word { host: host.clone(), wake: wake.id, event, result: None }
    };
    wakes.iter().map(word).collect()
}

/// An agent may have been away, or this controller dead, when a wake was ended without it: it is told to stop now.
async fn call_off(
    shared: &Shared,
    host: &HostId,
    in_hand: &[WakeId],
    running: &[Wake],
) -> Result<(), StoreError> {
    for id in in_hand.iter().filter(|id| running.iter().all(|wake| wake.id != **id)) {
        // One the store does not know may be another's.
        let wake = shared.store.wake_get(*id).await?;
        if wake.is_some_and(|wake| wake.state.ended().is_some()) {
            info!(wake_id = %id, host_id = %host, "a wake that is over is still in hand: called off");
            shared.fleet.send_cancel(host, *id);
        }
    }
    Ok(())
}

/// The wakes that hold a permit on the hosts that have just connected: read one by one, or all when those are many.
async fn running(shared: &Shared, heard: &[AgentEvent]) -> Result<BTreeMap<HostId, Vec<Wake>>, StoreError> {
    let connected = heard.iter().filter_map(|event| match event {
        AgentEvent::Connected { host, .. } => Some(host),
        _ => None,
    });
    let connected: BTreeSet<&HostId> = connected.collect();
    let mut running: BTreeMap<HostId, Vec<Wake>> = BTreeMap::new();
    if connected.len() <= ONE_BY_ONE_MAX {
        for host in connected {
            running.insert(host.clone(), shared.store.wakes_running_on(host).await?);
        }
        return Ok(running);
    }
    let mut add = |wake: Wake| {
        if let Some(host) =
            wake.state.run().map(|run| run.host.clone()).filter(|host| connected.contains(host))
        {
            running.entry(host).or_default().push(wake);
        }
    };
    shared.store.wakes_running_each(&mut add).await?;
    Ok(running)
}

/// Steps the wakes, and performs what follows. A word that fits no wake is said, and nothing more.
async fn stepped(shared: &Shared, mut words: Vec<Word>) -> Result<(), StoreError> {
    // Only the host a wake was sent to can say anything about it.
    let ids: Vec<WakeId> = words.iter().map(|word| word.wake).collect();
    let sent_to = shared.store.wake_hosts(&ids).await?;
    words.retain(|word| {
        let is_others = sent_to.get(&word.wake).is_some_and(|sent_to| *sent_to != word.host);
        if is_others {
            let event = word.event.name();
            warn!(wake_id = %word.wake, host_id = %word.host, event, "an agent speaks of a wake of another host");
        }
        !is_others
    });
    let events: Vec<(WakeId, Event)> = words.iter().map(|word| (word.wake, word.event.clone())).collect();
    let stepped = shared.store.wakes_step_many(&events, &shared.config.wake.retry_rule()).await?;
    let mut results = Vec::new();
    for (word, stepped) in words.into_iter().zip(stepped) {
        let (id, host, event) = (word.wake, &word.host, word.event.name());
        let mut was_over = false;
        match stepped {
            Ok((wake, effects)) => {
                debug!(wake_id = %id, instance_id = %wake.instance, host_id = %host, event, state = wake.state.name());
                match &word.result {
                    Some(result) => perform_result(shared, &wake, &effects, result),
                    None => perform(shared, &wake, &effects).await,
                }
                if word.result.is_some() {
                    tell_end(shared, &wake, host);
                    was_over = effects.is_empty() && wake.state.ended().is_some();
                }
            }
            Err(problem) => {
                warn!(wake_id = %id, host_id = %host, event, %problem, "the word of an agent fits no wake");
            }
        }
        if let Some(result) = word.result {
            results.push((word.host, result, word.event.at(), was_over));
        }
    }
    // After all of that is performed: here something may fail, and the words are then taken again.
    for (host, result, at, was_over) in results {
        if was_over && shared.store.late_result_keep(&result, at).await? {
            warn!(wake_id = %result.wake, host_id = %host, outcome = ?result.outcome, "a result came too late");
        }
        // Acknowledged only now that the move is on disk. A result of a wake nobody knows is acknowledged too:
        // after a restored database the agent would otherwise repeat it for ever.
        shared.fleet.send_result_ack(&host, &result);
        shared.points.pass(Step::Told, "result_ack", Some(result.wake), None);
    }
    Ok(())
}

fn tell_end(shared: &Shared, wake: &Wake, host: &HostId) {
    let Some(end) = wake.state.ended() else { return };
    info!(wake_id = %wake.id, instance_id = %wake.instance, host_id = %host, %end, detail = wake.detail, "wake ended");
    shared.metrics.wake_ended(end);
    if let (Some(sent), Some(serving)) = (wake.dispatched_at, wake.serving_at.filter(|_| end == End::Woken)) {
        shared.metrics.wake_took(wake.reason, serving.duration_since(sent).as_secs_f64());
    }
}
