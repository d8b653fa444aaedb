//! A simulated user: away, waiting for an instance that was not up, or at work on it.

use std::collections::BTreeMap;

use jiff::civil::Date;
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
    /// What they would be, had nobody changed their ways; empty where nobody has.
    own: Vec<Stay>,
    next: usize,
    pub presence: Presence,
}

impl User {
    pub fn new(stays: Vec<Stay>) -> Self {
        Self { stays, own: Vec::new(), next: 0, presence: Presence::Away }
    }

    /// The stay that comes next, and forgets those which began before `now_s`.
    pub fn next_stay(&mut self, now_s: i64) -> Option<Stay> {
        while self.stays.get(self.next).is_some_and(|stay| stay.arrive_s < now_s) {
            self.next += 1;
        }
        self.stays.get(self.next).copied()
    }

    /// Stays from `now_s` on become others, in order of arrival; gives those.
    pub fn change(&mut self, now_s: i64, changed: impl FnMut(Stay) -> Option<Stay>) -> &[Stay] {
        self.change_back(now_s);
        self.own.clone_from(&self.stays);
        let first = self.stays.partition_point(|stay| stay.arrive_s < now_s);
        let mut others: Vec<Stay> = self.stays.drain(first..).filter_map(changed).collect();
        others.retain(|stay| stay.arrive_s >= now_s);
        others.sort_unstable_by_key(|stay| stay.arrive_s);
        self.stays.extend(others);
        self.next = self.next.min(first);
        &self.stays[first..]
    }

    /// From `now_s` on stays are what they would have been. Says whether they were others.
    pub fn change_back(&mut self, now_s: i64) -> bool {
        let has_changed = !self.own.is_empty();
        if has_changed {
            self.stays = std::mem::take(&mut self.own);
            self.next = self.stays.partition_point(|stay| stay.arrive_s < now_s);
        }
        has_changed
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
    /// Local days on which somebody came.
    pub days: BTreeMap<Date, DayRecord>,
    /// Seconds in which an instance served although nobody had come since it was woken.
    pub idle_before_use_s: i64,
}

/// One local day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DayRecord {
    pub arrivals: u64,
    /// Those who did not find it serving.
    pub asked: u64,
}

impl UserRecord {
    /// Counts an arrival of `day`.
    pub fn arrived(&mut self, day: Date, served: bool) {
        self.arrivals += 1;
        let record = self.days.entry(day).or_default();
        record.arrivals += 1;
        record.asked += u64::from(!served);
    }

    /// Mean number per day who had to ask, over `days`.
    pub fn asked_per_day(&self, days: impl Iterator<Item = Date>) -> f64 {
        let (mut asked, mut count) = (0, 0_u32);
        for day in days {
            asked += self.days.get(&day).map_or(0, |record| record.asked);
            count += 1;
        }
        asked as f64 / f64::from(count.max(1))
    }

    /// Share of the arrivals that found it serving, 0-100.
    pub fn found_awake_percent(&self) -> f64 {
        100.0 * self.found_awake as f64 / self.arrivals.max(1) as f64
    }

    /// Those who did not find it serving.
    pub fn asked(&self) -> u64 {
        self.found_booting + self.found_asleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_anybody_count_in_the_mean() {
        let day = jiff::civil::date(2026, 3, 2);
        let mut record = UserRecord::default();
        record.arrived(day, false);
        record.arrived(day, false);
        record.arrived(day, true);
        let days = [day, day.tomorrow().expect("in range")];
        assert!((record.asked_per_day(days.into_iter()) - 1.0).abs() < 1e-9);
        assert!(record.asked_per_day(std::iter::empty()).abs() < 1e-9);
    }

    #[test]
    fn who_changes_comes_at_other_times_and_then_as_before() {
        let stay = |arrive_s| Stay { arrive_s, depart_s: arrive_s + 60 };
        let mut user = User::new(vec![stay(10), stay(100), stay(200)]);
        let later = |one: Stay| (one.arrive_s < 200).then(|| stay(one.arrive_s + 500));
        assert_eq!(user.change(50, later), [stay(600)]);
        assert_eq!(user.next_stay(50), Some(stay(600)));
        user.change_back(150);
        assert_eq!(user.next_stay(150), Some(stay(200)));
        assert!(user.change(150, |_| None).is_empty());
    }

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
