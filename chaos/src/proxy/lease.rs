//! For how long a fault may be on without anybody asking for it again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Longest lease, in seconds: a day.
const LEASE_S_MAX: f64 = 86_400.0;

/// Runs on the time of the runtime, which no step of the wall clock moves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lease {
    length: Duration,
    deadline: Instant,
    until: Timestamp,
}

impl Lease {
    /// From now on. `wall` is only shown.
    pub(super) fn new(length: Duration, now: Instant, wall: Timestamp) -> Self {
        let until = SignedDuration::try_from(length).ok().and_then(|length| wall.checked_add(length).ok());
        Self { length, deadline: now + length, until: until.unwrap_or(Timestamp::MAX) }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }
}

/// A length in seconds as people write it.
pub fn lease_length(seconds: f64) -> Result<Duration, String> {
    if seconds > 0.0 && seconds <= LEASE_S_MAX {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("a lease is more than 0 and at most {LEASE_S_MAX} seconds, not {seconds}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_a_length_that_ends() {
        assert_eq!(lease_length(0.5), Ok(Duration::from_millis(500)));
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY, 86_401.0] {
            assert!(lease_length(nonsense).is_err(), "{nonsense}");
        }
    }
}
