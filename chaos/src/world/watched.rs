//! What passes the tap, as the history has it.
//!
//! A grant is seen when its command passes and a release when the result passes, so the tap counts at most the permits
//! the controller counts: what it sees too many of really was too much.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use reveille_proto::v1::{
    AgentMessage, ControllerMessage, Outcome, Phase, Progress, Result as WakeResult, agent_message,
    controller_message,
};
use serde_json::json;

use super::{missing::MISSING, switch::Passage};
use crate::history::{Entry, Function, Key, Kind, Recorder};

/// The journals that agents of each host said they have, in the order in which they first did: two agents may claim one host.
#[derive(Debug, Clone, Default)]
pub(super) struct Journals(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Journals {
    /// Which of its host's journals it is, from 1.
    fn number(&self, host: &str, journal: &str) -> usize {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_host = known.entry(host.to_owned()).or_default();
        let place = of_host.iter().position(|known| known == journal);
        place.unwrap_or_else(|| {
            of_host.push(journal.to_owned());
            of_host.len() - 1
        }) + 1
    }
}

/// What one session looks like from the middle.
#[derive(Debug)]
pub(super) struct Watch {
    recorder: Recorder,
    host: OnceLock<String>,
    journals: Journals,
    /// Which of its host's.
    journal: OnceLock<usize>,
    /// The epoch it was opened under.
    welcomed: OnceLock<u64>,
    pub(super) session: Passage,
}

impl Watch {
    pub(super) fn new(recorder: Recorder, journals: Journals, session: Passage) -> Self {
        let (host, journal, welcomed) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { recorder, host, journals, journal, welcomed, session }
    }

    /// Whether the controller is to hear it.
    pub(super) fn upward(&self, message: &AgentMessage) -> bool {
        match &message.kind {
            Some(agent_message::Kind::Hello(hello)) => {
                drop(self.host.set(hello.host_id.clone()));
                self.journal.set(self.journals.number(&hello.host_id, &hello.journal_id)).ok();
                self.session.is_of(&hello.host_id);
            }
            Some(
                agent_message::Kind::Progress(Progress { wake_id, .. })
                | agent_message::Kind::Result(WakeResult { wake_id, .. }),
            ) if self.session.is_muted(wake_id) => return false,
            Some(agent_message::Kind::Load(load)) => {
                let value = json!({
                    "cpu_percent": load.cpu_percent,
                    "measured_at_ms": load.measured_at_ms,
                    "active_wakes": load.active_wakes,
                });
                self.note(Kind::Ok, Function::LoadSample, self.key(), value);
            }
            Some(agent_message::Kind::Ack(ack)) => {
                let key = self.wake_key(&ack.wake_id, ack.attempt);
                let value = json!({"journal": self.journal.get(), "session": self.welcomed.get()});
                self.note_at(ack.epoch, Kind::Ok, Function::CommandAck, key, value);
                return self.passes(Function::CommandAck, &ack.wake_id, ack.attempt);
            }
            Some(agent_message::Kind::Progress(progress)) => {
                let key = self.wake_key(&progress.wake_id, progress.attempt);
                // A later one is in somebody's hands, and the controller hears of it.
                let (event, value) = if progress.phase() == Phase::Eligible {
                    (Function::Preflight, json!({"eligible": true}))
                } else {
                    (Function::Poll, json!({"phase": progress.phase().as_str_name()}))
                };
                self.note(Kind::Ok, event, key, value);
                return self.passes(event, &progress.wake_id, progress.attempt);
            }
            Some(agent_message::Kind::Result(result)) => {
                let kind = match result.outcome() {
                    Outcome::Woken | Outcome::AlreadyAwake => Kind::Ok,
                    Outcome::TimedOut => Kind::Info,
                    _ => Kind::Fail,
                };
                let value = json!({
                    "outcome": result.outcome().as_str_name(),
                    "effect": result.effect().as_str_name(),
                    "detail": result.detail,
                });
                self.note(kind, Function::SlotRelease, self.wake_key(&result.wake_id, result.attempt), value);
                return self.passes(Function::SlotRelease, &result.wake_id, result.attempt);
            }
            None => {}
        }
        true
    }

    /// Whether the agent is to hear it.
    pub(super) fn downward(&self, message: &ControllerMessage) -> bool {
        match &message.kind {
            Some(controller_message::Kind::Wake(wake)) => {
                self.session.commanded(wake);
                let key = Key {
                    instance: Some(wake.instance_id.clone()),
                    idem: Some(wake.idempotency_key.clone()),
                    ..self.wake_key(&wake.wake_id, wake.attempt)
                };
                let value = json!({
                    "reason": wake.reason().as_str_name(),
                    "look_only": wake.look_only,
                    "deadline_ms": wake.deadline_ms,
                });
                self.note(Kind::Ok, Function::SlotGrant, key.clone(), value.clone());
                self.note_at(wake.epoch, Kind::Invoke, Function::CommandSend, key, value);
                return self.passes(Function::CommandSend, &wake.wake_id, wake.attempt);
            }
            Some(controller_message::Kind::Cancel(cancel)) => {
                let key = Key { wake: Some(cancel.wake_id.clone()), ..self.key() };
                self.note(Kind::Info, Function::SlotRelease, key, json!({"outcome": "CANCEL_SENT"}));
            }
            Some(controller_message::Kind::Welcome(welcome)) => {
                self.welcomed.set(welcome.epoch).ok();
                let value = json!({"journal": self.journal.get()});
                self.note_at(welcome.epoch, Kind::Ok, Function::LeaseAcquire, self.key(), value);
            }
            Some(controller_message::Kind::ResultAck(ack)) => {
                let key = self.wake_key(&ack.wake_id, ack.attempt);
                self.note_at(ack.epoch, Kind::Ok, Function::StoreCommit, key, json!({"acked": "result"}));
                return self.passes(Function::StoreCommit, &ack.wake_id, ack.attempt);
            }
            _ => {}
        }
        true
    }

    /// Whether a message that was written down as `event` arrives.
    fn passes(&self, event: Function, wake: &str, attempt: u32) -> bool {
        let is_missing = self.session.is_missing(event, wake, attempt);
        if is_missing {
            let key = self.wake_key(wake, attempt);
            self.note(Kind::Info, Function::FaultHit, key, json!({"kind": MISSING, "event": event}));
        }
        !is_missing
    }

    /// The session is over; one that was never welcomed was none.
    pub(super) fn over(&self) {
        if let Some(epoch) = self.welcomed.get() {
            self.note_at(*epoch, Kind::Info, Function::LeaseLost, self.key(), json!(null));
        }
    }

    fn note(&self, kind: Kind, function: Function, key: Key, value: serde_json::Value) {
        self.note_at(0, kind, function, key, value);
    }

    fn note_at(&self, epoch: u64, kind: Kind, function: Function, key: Key, value: serde_json::Value) {
        let node = self.host.get().map_or("unknown", String::as_str);
        self.recorder.record(Entry::new(node, kind, function, key).value(value).epoch(epoch));
    }

    fn key(&self) -> Key {
        Key { host: self.host.get().cloned(), ..Key::default() }
    }

    fn wake_key(&self, wake: &str, attempt: u32) -> Key {
        Key { wake: Some(wake.to_owned()), attempt: Some(attempt), ..self.key() }
    }
}
