//! What the agent tells of its wakes, in the contract's words.

use std::sync::Mutex;

use jiff::Timestamp;
use reveille_proto::{
    points::{Points, Step},
    v1::{self, agent_message::Kind},
};
use tokio::sync::mpsc;

use super::{Entry, Order};

/// To the controller while there is one. What cannot be sent is told again: results until they are acknowledged,
/// the rest by the next hello.
#[derive(Debug)]
pub(super) struct Reports {
    link: Mutex<Option<mpsc::Sender<v1::AgentMessage>>>,
    points: Points,
}

impl Reports {
    pub(super) fn new(points: Points) -> Self {
        Self { link: Mutex::default(), points }
    }

    pub(super) fn attach(&self, link: Option<mpsc::Sender<v1::AgentMessage>>) {
        *self.link.lock().expect("nobody panics while holding it") = link;
    }

    pub(super) fn ack(&self, order: &Order) {
        self.send(Kind::Ack(v1::CommandAck {
            wake_id: order.wake.to_string(),
            epoch: order.epoch,
            attempt: order.attempt,
        }));
        self.points.pass(Step::Told, "ack", Some(order.wake), Some(&order.instance));
    }

    /// The result of an entry that is over, or how far it has come.
    pub(super) fn standing(&self, entry: &Entry, now: Timestamp) {
        self.send(message(entry, now));
        let what = entry.ending.as_ref().map_or(entry.phase.as_str_name(), |end| end.outcome.as_str_name());
        self.points.pass(Step::Told, what, Some(entry.order.wake), Some(&entry.order.instance));
    }

    fn send(&self, kind: Kind) {
        let link = self.link.lock().expect("nobody panics while holding it");
        if let Some(link) = &*link {
            // Full or gone: see above.
            let _ = link.try_send(v1::AgentMessage { kind: Some(kind) });
        }
    }
}

fn message(entry: &Entry, now: Timestamp) -> Kind {
    let Order { wake, epoch, attempt, .. } = &entry.order;
    let (wake_id, epoch, attempt) = (wake.to_string(), *epoch, *attempt);
    match &entry.ending {
        None => Kind::Progress(v1::Progress {
            wake_id,
            epoch,
            attempt,
            phase: entry.phase.into(),
            at_ms: now.as_millisecond(),
        }),
        Some(ending) => Kind::Result(v1::Result {
            wake_id,
            epoch,
            attempt,
            outcome: ending.outcome.into(),
            effect: ending.effect.into(),
            detail: ending.detail.clone(),
            at_ms: ending.at.as_millisecond(),
            called_at_ms: ending.called_at.map(Timestamp::as_millisecond),
            serving_at_ms: ending.serving_at.map(Timestamp::as_millisecond),
            retry_after_s: ending.retry_after_s,
            retryable: ending.retryable,
            code: ending.code.clone(),
        }),
    }
}

/// As a hello lists it.
pub(super) fn unfinished(entry: &Entry) -> v1::UnfinishedWake {
    v1::UnfinishedWake {
        wake_id: entry.order.wake.to_string(),
        epoch: entry.order.epoch,
        attempt: entry.order.attempt,
        instance_id: entry.order.instance.to_string(),
        phase: entry.phase.into(),
    }
}
