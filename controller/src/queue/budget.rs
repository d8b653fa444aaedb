//! The budget of second attempts: a share of the first ones, and a few besides.
//!
//! When an endpoint fails for everybody, attempts must not multiply what it is asked. A retry that finds the budget spent
//! waits in the queue; it is not lost, and expires like any other wake.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::planted;

/// What is looked at.
const SPAN: SignedDuration = SignedDuration::from_mins(1);

/// Attempts of the last minute. Cheap to ask.
#[derive(Debug, Clone, Default)]
pub struct RetryBudget {
    firsts: VecDeque<Timestamp>,
    retries: VecDeque<Timestamp>,
}

impl RetryBudget {
    /// Share of the first attempts of a minute that may be retried, and how many always may.
    pub const SHARE: f64 = 0.10;
    pub const FLOOR: usize = 10;

    /// Whether one more retry may be sent at `now`.
    pub fn allows(&mut self, now: Timestamp) -> bool {
        self.forget(now);
        let with_it = (self.retries.len() + 1) as f64;
        with_it <= Self::FLOOR as f64 + Self::SHARE * self.firsts.len() as f64
    }

    /// An attempt was sent; `attempt` counts from 1.
    pub fn sent(&mut self, attempt: u32, now: Timestamp) {
        let is_retry = attempt > 1 && !planted!("retries-count-as-firsts");
        if is_retry { self.retries.push_back(now) } else { self.firsts.push_back(now) }
    }

    fn forget(&mut self, now: Timestamp) {
        for attempts in [&mut self.firsts, &mut self.retries] {
            while attempts.front().is_some_and(|at| now.duration_since(*at) >= SPAN) {
                attempts.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    #[test]
    fn a_part_of_one_more_is_none() {
        let mut budget = RetryBudget::default();
        (0..4).for_each(|_| budget.sent(1, t(0)));
        (0..10).for_each(|_| budget.sent(2, t(0)));
        assert!(!budget.allows(t(1)), "10.4 may be retried: that is ten");
    }

    #[test]
    fn a_tenth_of_the_first_attempts_and_ten_besides_within_a_minute() {
        let mut budget = RetryBudget::default();
        (0..100).for_each(|_| budget.sent(1, t(0)));
        let mut sent = 0;
        while budget.allows(t(1)) {
            budget.sent(2, t(1));
            sent += 1;
            assert!(sent < 100, "there is no end to it");
        }
        assert_eq!(sent, 20);
        assert!(!budget.allows(t(60)), "the first attempts are forgotten, the retries not yet");
        assert!(budget.allows(t(61)));
    }
}
