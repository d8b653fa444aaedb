//! The lines of `history.jsonl`, format `reveille.history/v1`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub const FORMAT: &str = "reveille.history/v1";

/// First line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub h: String,
    pub run: String,
    pub experiment: String,
    pub seed: u64,
    pub commit: String,
    pub config_sha256: String,
    /// `virtual`, `scaled` or `real`.
    pub clock: String,
    pub tz: String,
}

impl Header {
    pub fn new(experiment: &str, seed: u64, clock: &str, tz: &str) -> Self {
        Self {
            h: FORMAT.into(),
            run: format!("{experiment}-{seed}"),
            experiment: experiment.into(),
            seed,
            commit: env!("CARGO_PKG_VERSION").into(),
            config_sha256: String::new(),
            clock: clock.into(),
            tz: tz.into(),
        }
    }
}

/// `info` is an outcome that is not known: a checker accepts both worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// The alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    Due,
    Plan,
    Preflight,
    SlotGrant,
    SlotRelease,
    CommandSend,
    CommandRecv,
    CommandAck,
    CallEndpoint,
    /// Written by the endpoint's side of the socket only: ground truth.
    EndpointEffect,
    Poll,
    Terminal,
    LoadSample,
    Gate,
    LeaseAcquire,
    LeaseRenew,
    LeaseLost,
    ConfigSet,
    Lever,
    StoreCommit,
    Ingest,
    ModelPublish,
    SessionSeen,
    /// A receiver has taken a notification: `behind_s` after what it tells of.
    Notified,
    ManualWake,
    /// Somebody looked at wakes and hosts through the API: `ms` until all was answered.
    ApiCall,
    FaultOn,
    FaultHit,
    FaultOff,
    Crash,
    Restart,
}

/// What an event is about; absent parts are left out of the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Key {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idem: Option<String>,
}

/// What is given to the recorder, which adds order and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub node: String,
    pub process: String,
    pub kind: Kind,
    pub function: Function,
    pub key: Key,
    pub value: Value,
    pub cause: Option<u64>,
    /// Of the session it belongs to; 0 where there is none.
    pub epoch: u64,
}

impl Entry {
    pub fn new(node: impl Into<String>, kind: Kind, function: Function, key: Key) -> Self {
        let node = node.into();
        Self { process: node.clone(), node, kind, function, key, value: Value::Null, cause: None, epoch: 0 }
    }

    pub fn value(self, value: Value) -> Self {
        Self { value, ..self }
    }

    pub fn cause(self, cause: Option<u64>) -> Self {
        Self { cause, ..self }
    }

    pub fn epoch(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }
}

/// One event. Totally ordered by `i`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub i: u64,
    /// Nanoseconds since the run began, on the run's clock.
    pub t: i64,
    pub wall: String,
    pub node: String,
    pub p: String,
    pub epoch: u64,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub f: Function,
    pub k: Key,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub v: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
}

impl Event {
    /// Seconds since the run began.
    pub fn t_s(&self) -> f64 {
        self.t as f64 / 1e9
    }

    /// A number of `v`.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.v.get(name).and_then(Value::as_f64)
    }

    /// A yes or no of `v`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.v.get(name).and_then(Value::as_bool)
    }

    /// A text of `v`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.v.get(name).and_then(Value::as_str)
    }
}
