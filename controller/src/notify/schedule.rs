//! When a failed delivery is tried again, and when it is given up.

use jiff::{SignedDuration, Timestamp};

use crate::{queue::backoff, wake::RetryRule};

/// The first retries come within seconds, the later ones every two hours at most.
const BACKOFF_BASE_S: u32 = 5;
const BACKOFF_MAX_S: u32 = 7200;

/// What becomes of a notification whose delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Again {
        due_at: Timestamp,
    },
    /// Its time is over: those behind it go on.
    GiveUp,
}

/// After the `failures`-th failure of a notification made at `created_at`. `jitter` in `[0, 1)` is the draw of
/// [`backoff`], `retry_after_s` what the receiver asked for.
pub fn after_failure(
    (created_at, now): (Timestamp, Timestamp),
    failures: u32,
    retry_after_s: Option<u32>,
    jitter: f64,
    give_up_after: SignedDuration,
) -> Next {
    let rule =
        RetryRule { backoff_base_s: BACKOFF_BASE_S, backoff_max_s: BACKOFF_MAX_S, ..RetryRule::default() };
    let wait = backoff(&rule, failures, retry_after_s, jitter);
    match (now.checked_add(wait), created_at.checked_add(give_up_after)) {
        (Ok(due_at), Ok(until)) if due_at < until => Next::Again { due_at },
        _ => Next::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: SignedDuration = SignedDuration::from_hours(72);

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    fn wait_s(failures: u32, retry_after_s: Option<u32>, jitter: f64) -> i64 {
        match after_failure((t(0), t(100)), failures, retry_after_s, jitter, DAYS) {
            Next::Again { due_at } => due_at.duration_since(t(100)).as_secs(),
            Next::GiveUp => -1,
        }
    }

    #[test]
    fn waits_grow_are_drawn_from_their_whole_span_and_have_a_cap() {
        assert_eq!([1, 2, 3, 4, 40].map(|failures| wait_s(failures, None, 1.0)), [5, 10, 20, 40, 7200]);
        assert_eq!([0.0, 0.25, 0.5].map(|jitter| wait_s(4, None, jitter)), [0, 10, 20]);
    }

    #[test]
    fn a_receivers_wish_is_heeded() {
        assert_eq!(wait_s(1, Some(120), 0.0), 120);
        assert_eq!(wait_s(1, Some(1_000_000), 0.0), 7200);
    }

    #[test]
    fn what_would_be_tried_after_its_deadline_is_given_up() {
        let after = |now: i64| after_failure((t(0), t(now)), 40, None, 1.0, DAYS);
        let days_s = DAYS.as_secs();
        assert_eq!(after(days_s - 7201), Next::Again { due_at: t(days_s - 1) });
        assert_eq!(after(days_s - 7200), Next::GiveUp);
        assert_eq!(after(days_s * 9), Next::GiveUp);
    }
}
