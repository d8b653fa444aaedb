//! A simulated user: away, waiting for an instance that was not up, or at work on it.

use serde::Serialize;

use super::presence::Stay;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Away,
    /// Asked for the instance and waits until it serves.
    Waiting {
        since_s: i64,
    },
    Present {
        until_s: i64,
    },
}

/// The user of the instance with the same index.
#[derive(Debug)]
pub struct User {
    stays: Vec<Stay>,
    next: usize,
    pub presence: Presence,
}

impl User {
    pub fn new(stays: Vec<Stay>) -> Self {
        Self { stays, next: 0, presence: Presence::Away }
    }

    /// The stay that comes next, and forgets those which began before `now_s`.
    pub fn next_stay(&mut self, now_s: i64) -> Option<Stay> {
        while self.stays.get(self.next).is_some_and(|stay| stay.arrive_s < now_s) {
            self.next += 1;
        }
        self.stays.get(self.next).copied()
    }

    /// When the stay that began last was meant to end.
    pub fn current_departure_s(&self) -> i64 {
        self.next.checked_sub(1).and_then(|last| self.stays.get(last)).map_or(0, |stay| stay.depart_s)
    }

    /// The stay that begins now.
    pub fn arrive(&mut self) -> Option<Stay> {
        let stay = self.stays.get(self.next).copied();
        self.next += 1;
        stay
    }
}

/// What the users met, as the world itself saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UserRecord {
    pub arrivals: u64,
    pub found_awake: u64,
    pub found_booting: u64,
    pub found_asleep: u64,
    pub waited_s: i64,
    /// Seconds in which an instance served although nobody had come since it was woken.
    pub idle_before_use_s: i64,
}

impl UserRecord {
    /// Those who did not find it serving.
    pub fn asked(&self) -> u64 {
        self.found_booting + self.found_asleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_of_the_past_are_forgotten() {
        let stay = |arrive_s| Stay { arrive_s, depart_s: arrive_s + 60 };
        let mut user = User::new(vec![stay(10), stay(100), stay(200)]);
        assert_eq!(user.next_stay(50), Some(stay(100)));
        assert_eq!(user.arrive(), Some(stay(100)));
        assert_eq!(user.next_stay(50), Some(stay(200)));
        user.arrive();
        assert_eq!((user.next_stay(0), user.arrive()), (None, None));
    }
}
