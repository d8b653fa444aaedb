//! Whether this controller leads, and whether it knows what levers were pulled.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::store::Fence;

/// The lease to lead, as far as this controller knows.
#[derive(Debug)]
pub struct Office {
    /// Alone on its database, a controller leads for good and needs no lease.
    is_alone: bool,
    ttl: SignedDuration,
    held: Mutex<Option<(Fence, Timestamp)>>,
}

impl Office {
    pub(super) fn new(is_alone: bool, ttl: SignedDuration) -> Self {
        Self { is_alone, ttl, held: Mutex::default() }
    }

    /// Whether what only one controller does is this one's to do at `now`. What it writes is fenced all the same.
    pub fn is_held(&self, now: Timestamp) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_alone
            || held.as_ref().is_some_and(|(_, renewed_at)| now.duration_since(*renewed_at) < self.ttl)
    }

    /// What a write of the leader must show; `None` where there is no other controller.
    pub fn fence(&self) -> Option<Fence> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|(fence, _)| fence.clone())
    }

    pub fn renewed(&self, fence: Fence, now: Timestamp) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((fence, now));
    }

    pub fn lost(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A policy that was not read for so long may have changed: a lever must be effective within it.
const LEVERS_AGE_MAX: SignedDuration = SignedDuration::from_secs(5);

/// When the policy was last read from the database others may have written it to, and whether there were others.
#[derive(Debug)]
pub struct Levers {
    is_alone: bool,
    last: Mutex<LastLook>,
}

#[derive(Debug, Clone, Copy)]
struct LastLook {
    at: Timestamp,
    others: bool,
}

impl Levers {
    pub(super) fn new(is_alone: bool, now: Timestamp) -> Self {
        Self { is_alone, last: Mutex::new(LastLook { at: now, others: false }) }
    }

    /// They were read at `at`, with another controller there or without.
    pub fn read(&self, at: Timestamp, others: bool) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastLook { at, others };
    }

    fn last(&self) -> LastLook {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another controller was there when they were last read.
    pub fn has_others(&self) -> bool {
        self.last().others
    }

    /// Whether what is in force is known at `now`. Alone, every change goes through this controller.
    pub fn are_known(&self, now: Timestamp) -> bool {
        self.is_alone || now.duration_since(self.last().at) < LEVERS_AGE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    #[test]
    fn a_lease_that_was_not_renewed_in_time_is_not_held_any_more() {
        let office = Office::new(false, SignedDuration::from_secs(4));
        assert!(!office.is_held(t(0)) && office.fence().is_none());
        office.renewed(Fence { lease: "lead".into(), epoch: 3 }, t(0));
        assert!(office.is_held(t(3)) && !office.is_held(t(4)));
        assert_eq!(
            office.fence().map(|fence| fence.epoch),
            Some(3),
            "a late write still shows what it was made under"
        );
        office.lost();
        assert!(office.fence().is_none());
        assert!(Office::new(true, SignedDuration::ZERO).is_held(t(0)));
    }

    #[test]
    fn levers_nobody_could_read_are_not_known() {
        let levers = Levers::new(false, t(0));
        assert!(levers.are_known(t(4)) && !levers.are_known(t(5)));
        assert!(!levers.has_others(), "nobody was seen yet");
        levers.read(t(9), true);
        assert!(levers.are_known(t(13)) && levers.has_others());
        assert!(Levers::new(true, t(0)).are_known(t(1000)));
    }
}
