//! What the endpoint saw and did, in order: its own books, which no caller can touch.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

/// One call that took effect, at the moment it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub at: Timestamp,
    pub instance: String,
    pub wake: Option<String>,
    pub idem: Option<String>,
}

/// One request, when it was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub at: Timestamp,
    pub instance: String,
    pub wake: Option<String>,
    pub idem: Option<String>,
    pub had_effect: bool,
    pub ended: Ended,
}

/// How a request was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// An answer was sent to its last byte.
    Answered { status: u16 },
    /// The connection was reset.
    Reset,
    /// The connection was closed in order before the answer was whole.
    Cut,
    /// The caller gave up first.
    HungUp,
    /// The manner was over before anything came of it.
    Over,
}

#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    effects: Vec<Effect>,
    seen: Vec<Seen>,
    /// When each instance was first woken.
    woken_at: BTreeMap<String, Instant>,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn effect(&self, effect: Effect, now: Instant) {
        let mut pages = self.pages();
        pages.woken_at.entry(effect.instance.clone()).or_insert(now);
        pages.effects.push(effect);
    }

    pub(super) fn seen(&self, seen: Seen) {
        self.pages().seen.push(seen);
    }

    pub(super) fn all_effects(&self) -> Vec<Effect> {
        self.pages().effects.clone()
    }

    pub(super) fn all_seen(&self) -> Vec<Seen> {
        self.pages().seen.clone()
    }

    pub(super) fn woken_at(&self, instance: &str) -> Option<Instant> {
        self.pages().woken_at.get(instance).copied()
    }
}
