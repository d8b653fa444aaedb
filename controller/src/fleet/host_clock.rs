//! How the clock of a host stands to the controller's, told by what arrives from it.
//!
//! A host whose clock is wrong would otherwise never start anything: its loads look old, or of tomorrow, and the deadlines of its
//! commands are over when they arrive. What was held up on its way is told from a wrong clock by how it comes: everything
//! that was held arrives at once, each later piece less late than the one before, and then nothing is late any more.

use jiff::{SignedDuration, Timestamp};

/// Up to this difference a clock counts as right, and times are taken as they are. A session whose messages need longer does not
/// live: pings go unanswered.
const IN_SYNC: SignedDuration = SignedDuration::from_secs(20);
/// Before a wrong clock is believed, its messages are late by the same, but for so much.
const ALIKE: SignedDuration = SignedDuration::from_secs(2);
/// And afterwards.
const ALIKE_ONCE_SURE: SignedDuration = SignedDuration::from_secs(10);
/// For so long they have to be, before a clock that is behind is believed to be: longer than a session lives on whose way
/// everything is held up.
const SURE_BEHIND_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Nothing arrives early.
const SURE_AHEAD_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// What is older than twice this is forgotten, so that a clock that drifts is followed.
const FOLLOWED: SignedDuration = SignedDuration::from_secs(60);

/// Of one journal, over its sessions. By default the clock is right.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock {
    heard: Option<Heard>,
}

/// Messages that were late by about the same.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// When the first arrived.
    since: Timestamp,
    /// When the newer of the two ranges began.
    range_since: Timestamp,
    older: Range,
    newer: Range,
    is_sure: bool,
}

/// How late messages were, at least and at most.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: SignedDuration,
    high: SignedDuration,
}

impl Range {
    fn of(late: SignedDuration) -> Self {
        Self { low: late, high: late }
    }

    fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

impl HostClock {
    /// A message that says when it was made arrived at `now`. Gives that time by the controller's clock, as far as is known.
    pub fn heard(&mut self, theirs: Timestamp, now: Timestamp) -> Timestamp {
        let late = Range::of(now.duration_since(theirs));
        let heard = match self.heard {
            Some(before) if before.is_like(late) => before.with(late, now),
            _ => Heard { since: now, range_since: now, older: late, newer: late, is_sure: false },
        };
        self.heard = Some(heard);
        self.ours(theirs)
    }

    /// How far it is behind the controller's, below zero where it is ahead; zero while it counts as right.
    pub fn behind(&self) -> SignedDuration {
        let Some(heard) = self.heard.filter(|heard| heard.is_sure) else { return SignedDuration::ZERO };
        let behind = heard.older.with(heard.newer).low;
        if behind.abs() <= IN_SYNC { SignedDuration::ZERO } else { behind }
    }

    /// What the controller's clock shows when this one shows `theirs`.
    pub fn ours(&self, theirs: Timestamp) -> Timestamp {
        theirs.saturating_add(self.behind()).unwrap_or(theirs)
    }

    /// What this one shows when the controller's shows `ours`.
    pub fn theirs(&self, ours: Timestamp) -> Timestamp {
        ours.saturating_sub(self.behind()).unwrap_or(ours)
    }
}

impl Heard {
    fn is_like(&self, late: Range) -> bool {
        let all = self.older.with(self.newer).with(late);
        all.high - all.low <= if self.is_sure { ALIKE_ONCE_SURE } else { ALIKE }
    }

    fn with(self, late: Range, now: Timestamp) -> Self {
        let is_ahead = late.high < SignedDuration::ZERO;
        let sure_after = if is_ahead { SURE_AHEAD_AFTER } else { SURE_BEHIND_AFTER };
        let is_sure = self.is_sure || now.duration_since(self.since) >= sure_after;
        if now.duration_since(self.range_since) >= FOLLOWED {
            return Self { range_since: now, older: self.newer, newer: late, is_sure, ..self };
        }
        Self { newer: self.newer.with(late), is_sure, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    fn s(s: i64) -> SignedDuration {
        SignedDuration::from_secs(s)
    }

    #[test]
    fn a_clock_that_is_about_right_is_taken_as_it_is() {
        let mut clock = HostClock::default();
        for second in (0..120).step_by(5) {
            assert_eq!(clock.heard(t(second - 19), t(second)), t(second - 19));
        }
        assert_eq!((clock.behind(), clock.theirs(t(9))), (SignedDuration::ZERO, t(9)));
    }

    #[test]
    fn a_wrong_clock_is_believed_once_it_has_been_wrong_by_the_same_for_a_while() {
        for (behind, sure_after) in [(3_600, 60), (-600, 10)] {
            let mut clock = HostClock::default();
            for second in (0..sure_after).step_by(5) {
                let late = second % 2;
                assert_eq!(clock.heard(t(second - behind), t(second + late)), t(second - behind), "{second}");
            }
            // A second on its way.
            assert_eq!(clock.heard(t(sure_after - behind), t(sure_after + 1)), t(sure_after));
            assert_eq!((clock.behind(), clock.theirs(t(100))), (s(behind), t(100 - behind)));
            // And set right.
            assert_eq!(clock.heard(t(90), t(90)), t(90));
            assert_eq!(clock.behind(), SignedDuration::ZERO);
        }
    }

    #[test]
    fn what_was_held_up_is_late_and_not_of_a_wrong_clock() {
        // All at once, and at twice the pace at which it was made.
        for pace in [0, 1] {
            let mut clock = HostClock::default();
            clock.heard(t(0), t(0));
            for made in 5..300 {
                let now = t(300) + s(pace * made / 2);
                assert_eq!(clock.heard(t(made), now), t(made), "it is as old as it says");
            }
        }
        // By the same, for as long as such a session lives.
        let mut clock = HostClock::default();
        for made in 0..50 {
            assert_eq!(clock.heard(t(made), t(made + 40)), t(made));
        }
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut clock = HostClock::default();
        // It loses twenty milliseconds a second, and begins a minute behind.
        let theirs = |second: i64| t(second) - s(60) - SignedDuration::from_millis(20 * second);
        for second in 0..2_000 {
            let ours = clock.heard(theirs(second), t(second));
            if second > 60 {
                let off = t(second).duration_since(ours);
                assert!(off >= SignedDuration::ZERO && off <= s(10), "{off} at {second} s");
            }
        }
    }
}
