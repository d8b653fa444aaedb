//! A breaker: what failed too often is left alone for a while, then asked by one call whether it is well again.
//!
//! ```text
//! closed --failures in a row, or a share of failures--> open --its time is over--> half-open (one call) --yes--> closed
//!                                                        ^------------no, and twice the time-----------|
//! ```
//! There is one per authority of an endpoint, shared by all instances, and one per instance and endpoint. Time comes in.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use jiff::{SignedDuration, Timestamp};

use crate::config::Endpoints;

/// A breaker and its settings. Cheap to clone; every clone is the same breaker.
#[derive(Debug, Clone)]
pub(super) struct Breaker(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    settings: Endpoints,
    state: State,
    failures_in_a_row: u32,
    /// The latest calls, whether they failed.
    recent: VecDeque<bool>,
    /// How often in a row it was opened.
    opened: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen,
}

/// Leave to make one call. Dropped without a word (the call was given up), it changes nothing.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Breaker,
    asked_at: Timestamp,
    is_told: bool,
}

impl Breaker {
    pub(super) fn new(settings: &Endpoints) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            settings: settings.clone(),
            state: State::Closed,
            failures_in_a_row: 0,
            recent: VecDeque::new(),
            opened: 0,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Leave for a call, or when to ask again.
    pub(super) fn ask(&self, now: Timestamp) -> Result<Pass, Timestamp> {
        let mut inner = self.inner();
        match inner.state {
            State::Closed => {}
            State::Open { until } if now < until => return Err(until),
            State::Open { .. } => inner.state = State::HalfOpen,
            State::HalfOpen => return Err(now + seconds(inner.settings.breaker_open_s)),
        }
        Ok(Pass { breaker: self.clone(), asked_at: now, is_told: false })
    }
}

impl Pass {
    /// How the call went.
    pub(super) fn told(mut self, is_failure: bool, now: Timestamp) {
        self.is_told = true;
        self.breaker.inner().told(is_failure, now);
    }

    /// It asked to be left alone for a while.
    pub(super) fn hold(mut self, until: Timestamp) {
        self.is_told = true;
        self.breaker.inner().state = State::Open { until };
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inner = self.breaker.inner();
        if !self.is_told && inner.state == State::HalfOpen {
            inner.state = State::Open { until: self.asked_at };
        }
    }
}

impl Inner {
    fn told(&mut self, is_failure: bool, now: Timestamp) {
        self.failures_in_a_row = if is_failure { self.failures_in_a_row + 1 } else { 0 };
        self.recent.push_back(is_failure);
        while self.recent.len() > self.settings.breaker_calls as usize {
            self.recent.pop_front();
        }
        match self.state {
            State::HalfOpen if is_failure => self.open(now),
            State::HalfOpen => {
                (self.state, self.opened) = (State::Closed, 0);
                self.recent.clear();
            }
            State::Closed if is_failure && self.is_too_much() => self.open(now),
            // An answer that was on its way when it opened.
            State::Closed | State::Open { .. } => {}
        }
    }

    fn is_too_much(&self) -> bool {
        let failures = self.recent.iter().filter(|is_failure| **is_failure).count() as f64;
        let all = self.recent.len() as f64;
        self.failures_in_a_row >= self.settings.breaker_failures
            || (self.recent.len() >= self.settings.breaker_calls as usize
                && 100.0 * failures >= self.settings.breaker_share_percent * all)
    }

    fn open(&mut self, now: Timestamp) {
        let doubled = self.settings.breaker_open_s.saturating_mul(1 << self.opened.min(16));
        self.opened += 1;
        let until = now + seconds(doubled.min(self.settings.breaker_open_max_s));
        self.state = State::Open { until };
    }
}

fn seconds(s: u32) -> SignedDuration {
    SignedDuration::from_secs(s.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn breaker() -> Breaker {
        Breaker::new(&Endpoints {
            breaker_failures: 3,
            breaker_calls: 10,
            breaker_share_percent: 50.0,
            breaker_open_s: 10,
            breaker_open_max_s: 30,
            ..Endpoints::default()
        })
    }

    fn call(breaker: &Breaker, second: i64, is_failure: bool) {
        breaker.ask(at(second)).expect("closed").told(is_failure, at(second));
    }

    fn opens_at(breaker: &Breaker, second: i64) -> i64 {
        breaker.ask(at(second)).expect_err("open").as_second() - at(0).as_second()
    }

    #[test]
    fn failures_in_a_row_open_it_and_each_further_failure_doubles_the_time() {
        let breaker = breaker();
        for is_failure in [true, true, false, true, true, true] {
            call(&breaker, 0, is_failure);
        }
        assert_eq!(opens_at(&breaker, 9), 10);
        call(&breaker, 10, true);
        assert_eq!(opens_at(&breaker, 10), 30);
        call(&breaker, 30, true);
        assert_eq!(opens_at(&breaker, 30), 60, "40 are too many");
        call(&breaker, 60, false);
        for _ in 0..2 {
            call(&breaker, 61, true);
        }
        call(&breaker, 61, true);
        assert_eq!(opens_at(&breaker, 61), 71, "a success forgets");
    }

    #[test]
    fn a_share_of_failures_opens_it_too() {
        let breaker = breaker();
        for n in 0..9 {
            call(&breaker, 0, n % 2 == 0);
        }
        call(&breaker, 0, false);
        call(&breaker, 0, true);
        assert_eq!(opens_at(&breaker, 1), 10);
    }

    #[test]
    fn half_open_it_lets_one_call_through_and_one_that_is_given_up_changes_nothing() {
        let breaker = breaker();
        for _ in 0..3 {
            call(&breaker, 0, true);
        }
        let pass = breaker.ask(at(10)).expect("half-open");
        assert!(breaker.ask(at(11)).is_err(), "one is under way");
        drop(pass);
        let pass = breaker.ask(at(11)).expect("another may");
        pass.told(false, at(12));
        assert!(breaker.ask(at(12)).is_ok() && breaker.ask(at(12)).is_ok(), "closed");
    }

    #[test]
    fn who_asks_to_be_left_alone_is() {
        let breaker = breaker();
        breaker.ask(at(0)).expect("closed").hold(at(100));
        assert_eq!(opens_at(&breaker, 99), 100);
        call(&breaker, 100, false);
        assert!(breaker.ask(at(100)).is_ok());
    }
}
