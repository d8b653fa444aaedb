//! What is known of one wake, and what may be done about it.

use jiff::Timestamp;
use reveille_proto::v1;
use serde::{Deserialize, Serialize};

use super::{
    Order, Record,
    order::{effect, outcome, phase},
};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    #[serde(with = "outcome")]
    pub outcome: v1::Outcome,
    /// Of all calls made for the wake, this attempt's and earlier ones'.
    #[serde(with = "effect")]
    pub effect: v1::Effect,
    /// One line for a person.
    pub detail: String,
    pub at: Timestamp,
    pub called_at: Option<Timestamp>,
    pub serving_at: Option<Timestamp>,
    pub retry_after_s: Option<u32>,
    pub retryable: bool,
    /// One word for programs; may be empty.
    #[serde(default)]
    pub code: String,
}

/// One wake: its latest attempt, and what its calls did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub order: Order,
    #[serde(with = "phase")]
    pub phase: v1::Phase,
    #[serde(with = "effect")]
    pub effect: v1::Effect,
    pub called_at: Option<Timestamp>,
    pub ending: Option<Ending>,
    pub acked: bool,
    pub touched_at: Timestamp,
}

/// What remains to be done for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Guard, preflight, call.
    Go,
    /// Wait until it serves, without a call.
    Look,
    /// Nothing.
    Over,
}

impl Entry {
    /// A first attempt.
    pub fn new(order: Order, at: Timestamp) -> Self {
        let (phase, effect) = (v1::Phase::Received, v1::Effect::None);
        Self { order, phase, effect, called_at: None, ending: None, acked: false, touched_at: at }
    }

    /// A call is made only when no earlier one can have had an effect.
    pub fn next(&self) -> Next {
        match (&self.ending, self.effect) {
            (Some(_), _) => Next::Over,
            (None, v1::Effect::None) if !self.order.look_only => Next::Go,
            (None, _) => Next::Look,
        }
    }

    /// Takes a further fact of its latest attempt; facts of another are of the past.
    pub(super) fn apply(&mut self, attempt: u32, record: &Record) {
        if attempt != self.order.attempt {
            return;
        }
        match record {
            Record::Eligible { at, .. } => self.step(v1::Phase::Eligible, *at),
            Record::Calling { at, .. } => {
                self.step(v1::Phase::Calling, *at);
                self.effect = v1::Effect::Unknown;
                self.called_at = Some(*at);
            }
            Record::Accepted { at, .. } => {
                self.step(v1::Phase::Accepted, *at);
                self.effect = v1::Effect::Accepted;
            }
            Record::Unknown { at, .. } => {
                self.step(v1::Phase::Unknown, *at);
                self.effect = v1::Effect::Unknown;
            }
            Record::Done { ending, .. } => {
                self.step(v1::Phase::Done, ending.at);
                self.effect = ending.effect;
                self.called_at = ending.called_at;
                self.ending = Some(ending.clone());
            }
            Record::Acked { at, .. } if self.ending.is_some() => {
                self.acked = true;
                self.touched_at = *at;
            }
            Record::Acked { .. } | Record::Received { .. } | Record::Epoch { .. } | Record::Kept { .. } => {}
        }
    }

    /// A higher attempt: what earlier calls did is not forgotten.
    pub(super) fn retry(&mut self, order: Order, at: Timestamp) {
        let called_at = self.called_at.filter(|_| self.effect != v1::Effect::None);
        *self = Self { effect: self.effect, called_at, ..Self::new(order, at) };
    }

    fn step(&mut self, phase: v1::Phase, at: Timestamp) {
        self.phase = phase;
        self.touched_at = at;
    }
}
