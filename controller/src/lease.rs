//! When a contender may take a lease: it has seen the very same lease for the whole time to live, by its own clock.
//!
//! No two clocks are compared: the holder's beat is a count, not a time. A holder that is only slow is replaced as well,
//! and finds out by the epoch: what it writes under the old one is refused.

use jiff::{SignedDuration, Timestamp};

/// A lease as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub epoch: u64,
    pub beat: u64,
    /// Its holder has let go.
    pub free: bool,
}

/// What to do about a lease somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Its holder is there, or may be.
    Wait,
    /// Take it, if it still stands as it was seen: epoch and beat, or nobody's yet.
    Take(Option<(u64, u64)>),
}

/// One that would hold the lease if its holder were gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contender {
    /// The lease, and since when it has looked like that.
    still: Option<(Seen, Timestamp)>,
}

impl Contender {
    /// Looks at the lease as it was read at `now`; `None` when nobody ever held it.
    pub fn look(&mut self, lease: Option<Seen>, now: Timestamp, ttl: SignedDuration) -> Look {
        let Some(seen) = lease else {
            self.still = None;
            return Look::Take(None);
        };
        let take = Look::Take(Some((seen.epoch, seen.beat)));
        if seen.free {
            self.still = None;
            return take;
        }
        // A clock that was set back must not make the wait longer than the time to live.
        match self.still.filter(|(before, since)| *before == seen && *since <= now) {
            Some((_, since)) if now.duration_since(since) >= ttl => take,
            Some(_) => Look::Wait,
            None => {
                self.still = Some((seen, now));
                Look::Wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: SignedDuration = SignedDuration::from_secs(10);

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_772_000_000 + s).unwrap()
    }

    fn seen(epoch: u64, beat: u64) -> Seen {
        Seen { epoch, beat, free: false }
    }

    #[test]
    fn a_lease_nobody_holds_is_taken_at_once() {
        let mut contender = Contender::default();
        assert_eq!(contender.look(None, t(0), TTL), Look::Take(None));
        let free = Some(Seen { epoch: 3, beat: 7, free: true });
        assert_eq!(contender.look(free, t(0), TTL), Look::Take(Some((3, 7))));
    }

    #[test]
    fn a_holder_that_beats_is_left_alone() {
        let mut contender = Contender::default();
        for s in 0..100 {
            let beat = seen(1, s as u64 / 9);
            assert_eq!(contender.look(Some(beat), t(s), TTL), Look::Wait, "{s}");
        }
    }

    #[test]
    fn a_lease_that_stood_still_for_the_time_to_live_is_taken() {
        let mut contender = Contender::default();
        assert_eq!(contender.look(Some(seen(1, 5)), t(0), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(1, 5)), t(9), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(1, 5)), t(10), TTL), Look::Take(Some((1, 5))));
        // Somebody else was faster: the wait begins anew.
        assert_eq!(contender.look(Some(seen(2, 0)), t(11), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(2, 0)), t(20), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(2, 0)), t(21), TTL), Look::Take(Some((2, 0))));
    }

    #[test]
    fn a_clock_set_back_begins_the_wait_anew() {
        let mut contender = Contender::default();
        assert_eq!(contender.look(Some(seen(1, 5)), t(1_000), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(1, 5)), t(0), TTL), Look::Wait);
        assert_eq!(contender.look(Some(seen(1, 5)), t(10), TTL), Look::Take(Some((1, 5))));
    }
}
