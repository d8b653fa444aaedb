//! When each instance was asked for, and when its endpoint took a call: both written down at this end of the socket.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::world::AGENTS;

/// Shared by the load, the endpoints and the rounds.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By instance: when it was first asked for.
    asked: Vec<Timestamp>,
    /// By instance: accepted calls, in order.
    calls: BTreeMap<usize, Vec<Timestamp>>,
    /// Wakes a controller has said it has taken down.
    acknowledged: BTreeMap<String, usize>,
}

impl Ledger {
    // Plain pushes: a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next instance nobody has asked for yet, asked for from now on; `None` when there are no more than `len`.
    pub(super) fn ask_next(&self, now: Timestamp, len: usize) -> Option<usize> {
        let mut inner = self.lock();
        let index = inner.asked.len();
        (index < len).then(|| inner.asked.push(now)).map(|()| index)
    }

    pub(super) fn acknowledged(&self, wake: String, instance: usize) {
        self.lock().acknowledged.insert(wake, instance);
    }

    pub(super) fn called(&self, instance: usize, at: Timestamp) {
        self.lock().calls.entry(instance).or_default().push(at);
    }

    /// When the instance was called first.
    pub(super) fn first_call(&self, instance: usize) -> Option<Timestamp> {
        self.lock().calls.get(&instance)?.first().copied()
    }

    /// Wakes and their instances.
    pub(super) fn all_acknowledged(&self) -> BTreeMap<String, usize> {
        self.lock().acknowledged.clone()
    }

    pub(super) fn asked(&self) -> usize {
        self.lock().asked.len()
    }

    /// Calls accepted, and the instances that got more than one.
    pub(super) fn calls(&self) -> (u64, BTreeMap<usize, usize>) {
        let inner = self.lock();
        let all = inner.calls.values().map(|calls| calls.len() as u64).sum();
        let twice = inner.calls.iter().filter(|(_, calls)| calls.len() > 1);
        (all, twice.map(|(instance, calls)| (*instance, calls.len())).collect())
    }

    /// By host: the first call of an instance that was asked for at or after `since`.
    pub(super) fn first_calls_since(&self, since: Timestamp) -> [Option<Timestamp>; AGENTS] {
        let inner = self.lock();
        let mut first = [None; AGENTS];
        let begin = inner.asked.partition_point(|at| *at < since);
        for instance in begin..inner.asked.len() {
            let call = inner.calls.get(&instance).and_then(|calls| calls.first());
            let of_host: &mut Option<Timestamp> = &mut first[instance % AGENTS];
            if let Some(call) = call {
                *of_host = Some(of_host.map_or(*call, |known| known.min(*call)));
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_772_000_000 + s).expect("in range")
    }

    #[test]
    fn only_calls_of_what_was_asked_for_afterwards_count_host_by_host() {
        let ledger = Ledger::default();
        for s in 0..8 {
            assert_eq!(ledger.ask_next(t(s), 8), Some(s as usize));
        }
        assert_eq!(ledger.ask_next(t(9), 8), None);
        ledger.called(0, t(20));
        ledger.called(7, t(21));
        ledger.called(5, t(22));
        assert_eq!(ledger.first_calls_since(t(4)), [None, Some(t(22)), None, Some(t(21))]);
        assert_eq!(ledger.first_calls_since(t(0))[0], Some(t(20)));
        ledger.called(5, t(23));
        assert_eq!(ledger.calls(), (4, [(5, 2)].into()));
    }
}
