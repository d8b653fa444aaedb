//! What receivers have asked for since the start: to be left alone for a while, or for good.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// The longest rest a receiver gets, in seconds.
const REST_S_MAX: u32 = 7200;

/// Kept in memory: a controller that starts, or begins to lead, asks everybody once more.
#[derive(Debug, Default)]
pub struct ReceiverRests {
    /// Until when; none is for good.
    rests: Mutex<BTreeMap<String, Option<Timestamp>>>,
}

impl ReceiverRests {
    // A plain map: a panic elsewhere leaves at worst a rest out.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<Timestamp>>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn may_be_told(&self, receiver: &str, now: Timestamp) -> bool {
        match self.lock().get(receiver) {
            None => true,
            Some(None) => false,
            Some(Some(until)) => *until <= now,
        }
    }

    /// It wants nothing for so long.
    pub fn rests(&self, receiver: &str, now: Timestamp, seconds: u32) {
        let until = now.saturating_add(SignedDuration::from_secs(seconds.min(REST_S_MAX).into()));
        let until = until.unwrap_or(now);
        let mut rests = self.lock();
        let rest = rests.entry(receiver.to_owned()).or_insert(Some(until));
        *rest = rest.map(|known| known.max(until));
    }

    /// It wants nothing any more.
    pub fn rests_for_good(&self, receiver: &str) {
        self.lock().insert(receiver.to_owned(), None);
    }

    /// Those of `all` that something is still sent to.
    pub fn served(&self, mut all: BTreeSet<String>) -> BTreeSet<String> {
        let rests = self.lock();
        all.retain(|name| rests.get(name) != Some(&None));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    #[test]
    fn a_receiver_rests_as_long_as_it_asked_and_one_that_is_gone_for_good() {
        let receivers = ReceiverRests::default();
        receivers.rests("chat", t(0), 60);
        receivers.rests("chat", t(1), 5);
        assert!(!receivers.may_be_told("chat", t(59)) && receivers.may_be_told("chat", t(60)));
        assert!(receivers.may_be_told("mail", t(0)));
        receivers.rests("mail", t(0), u32::MAX);
        assert!(receivers.may_be_told("mail", t(REST_S_MAX.into())));
        receivers.rests_for_good("chat");
        receivers.rests("chat", t(9), 1);
        assert!(!receivers.may_be_told("chat", t(1_000_000)));
        assert_eq!(receivers.served(["chat".into(), "mail".into()].into()), ["mail".into()].into());
    }
}
