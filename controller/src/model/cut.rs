//! Which days are fitted on, and which are kept back to judge what was fitted.

use super::{fit::History, scorer::AbstainRule};

/// Days of sightings there must be before anything is fitted: the longest but one memory of a profile, and two weeks to
/// judge by.
pub const DAYS_MIN: i32 = 56;

/// Days at the end that are kept back at least: every day of the week twice.
pub const JUDGED_DAYS_MIN: i32 = 14;

/// Days looked back upon at most, those kept back included. What is older made profiles, and is nobody's label.
pub const DAYS_MAX: i32 = 120;

/// UTC days since 1970. Fitted on `[first, cut - 1)`, judged on `[cut, end)`. The day between belongs to neither: what
/// comes within a day of the last one fitted is part of what is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub first: i32,
    pub cut: i32,
    pub end: i32,
}

impl Cut {
    /// Cuts off the last fifth of the days. `seen_first` is the day of the first sighting of all, `seen_last` that of
    /// the last, which need not be complete. What comes within a day of the last day judged must be known too, so that
    /// is the one before the last complete one. `None` when there are too few.
    pub fn of(seen_first: i32, seen_last: i32) -> Option<Self> {
        let end = seen_last.checked_sub(1)?;
        if seen_last.checked_sub(seen_first)? < DAYS_MIN {
            return None;
        }
        let first = seen_first.max(end - DAYS_MAX);
        let judged = ((end - first) / 5).max(JUDGED_DAYS_MIN);
        Some(Self { first, cut: end - judged, end })
    }

    pub fn days(&self) -> i32 {
        self.end - self.first
    }

    /// The history as it was known when the first day kept back began.
    pub fn before(&self, history: &History, abstain: AbstainRule) -> History {
        let cut_s = i64::from(self.cut) * 86_400;
        let known = history.sightings.partition_point(|(at_s, _)| *at_s < cut_s);
        let sightings = history.sightings[..known].to_vec();
        let days = spoken_days(&sightings, abstain, self.first, self.cut - 1);
        History { sightings, days }
    }

    /// The history with the days kept back; what was before them is what is known of it then.
    pub fn after(&self, history: &History, abstain: AbstainRule) -> History {
        let days = spoken_days(&history.sightings, abstain, self.cut, self.end);
        History { sightings: history.sightings.clone(), days }
    }
}

/// The days of `[from, to)` on which something would have been said of the instance: see [`AbstainRule`]. Local days
/// stand for UTC ones.
fn spoken_days(sightings: &[(i64, i32)], abstain: AbstainRule, from: i32, to: i32) -> Vec<i32> {
    let local_day = |(at_s, offset_s): &(i64, i32)| (at_s + i64::from(*offset_s)).div_euclid(86_400) as i32;
    let mut used: Vec<i32> = sightings.iter().map(local_day).collect();
    used.dedup();
    let Some(first) = used.first().copied() else { return Vec::new() };
    let speaks = |day: &i32| {
        let before = |day: i32| used.partition_point(|used| *used < day);
        let active = before(*day) - before(*day - 30);
        day - first >= i32::from(abstain.min_history_days).max(1)
            && active >= usize::from(abstain.min_active_days)
    };
    (from..to).filter(speaks).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_few_days_are_not_cut() {
        assert_eq!(Cut::of(100, 155), None);
        assert_eq!(Cut::of(100, 156), Some(Cut { first: 100, cut: 141, end: 155 }));
        assert_eq!(Cut::of(i32::MAX, i32::MIN), None, "nothing was seen");
        let cut = Cut::of(0, 1_000).expect("enough");
        assert_eq!((cut.first, cut.cut, cut.end, cut.days()), (879, 975, 999, 120));
    }

    #[test]
    fn only_days_on_which_something_would_be_said_take_part() {
        let sightings: Vec<(i64, i32)> = (0..20).map(|day| (day * 86_400 + 30_000, 0)).collect();
        let abstain = AbstainRule { min_history_days: 7, min_active_days: 5 };
        let days = spoken_days(&sightings, abstain, 0, 100);
        assert_eq!((days.first(), days.last()), (Some(&7), Some(&45)), "five of thirty until day 45");
        assert!(spoken_days(&[], abstain, 0, 100).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_fitted_on_knows_nothing_of_the_days_kept_back(
            first in 0..500i32, span in 0..700i32, at in proptest::collection::vec(0..90_000_000i64, 0..60),
        ) {
            let Some(cut) = Cut::of(first, first + span) else { return Ok(()) };
            prop_assert!(first <= cut.first && cut.first < cut.cut && cut.cut < cut.end && cut.end < first + span);
            prop_assert!(cut.end - cut.cut >= JUDGED_DAYS_MIN && cut.days() <= DAYS_MAX);
            let mut sightings: Vec<(i64, i32)> = at.into_iter().map(|at_s| (at_s, 3_600)).collect();
            sightings.sort_unstable();
            let history = History { sightings, days: Vec::new() };
            let before = cut.before(&history, AbstainRule::default());
            prop_assert!(before.sightings.iter().all(|(at_s, _)| *at_s < i64::from(cut.cut) * 86_400));
            prop_assert!(before.days.iter().all(|day| (cut.first..cut.cut - 1).contains(day)));
            let after = cut.after(&history, AbstainRule::default());
            prop_assert!(after.days.iter().all(|day| (cut.cut..cut.end).contains(day)));
        }
    }

    fn daily(days: std::ops::Range<i64>) -> History {
        History { sightings: days.map(|day| (day * 86_400 + 30_000, 0)).collect(), days: Vec::new() }
    }

    #[test]
    fn what_is_fitted_ends_a_day_before_what_is_judged() {
        let cut = Cut::of(100, 156).expect("enough");
        let history = daily(100..156);
        let (before, after) =
            (cut.before(&history, AbstainRule::default()), cut.after(&history, AbstainRule::default()));
        // From a week after the first sighting on.
        assert_eq!(before.days, (107..140).collect::<Vec<_>>());
        assert_eq!(before.sightings, history.sightings[..41]);
        assert_eq!(after.days, (141..155).collect::<Vec<_>>());
        assert_eq!(after.sightings, history.sightings);
        // What comes just as the first day kept back begins is not known yet.
        let mut midnight = daily(100..141);
        midnight.sightings.push((141 * 86_400, 0));
        assert_eq!(cut.before(&midnight, AbstainRule::default()).sightings.len(), 41);
    }

    #[test]
    fn a_fifth_of_the_days_is_judged_and_two_weeks_at_least() {
        assert_eq!(Cut::of(0, 69), Some(Cut { first: 0, cut: 54, end: 68 }));
        assert_eq!(Cut::of(0, 101), Some(Cut { first: 0, cut: 80, end: 100 }));
        assert_eq!(Cut::of(0, 121), Some(Cut { first: 0, cut: 96, end: 120 }));
    }

    #[test]
    fn days_are_spoken_of_by_those_before_them_on_the_local_clock() {
        // Half an hour before midnight, which is the next day there.
        let sightings: Vec<(i64, i32)> = [10, 11, 12].map(|day| (day * 86_400 - 1_800, 3_600)).to_vec();
        let days = |history: u16, active: u16| {
            let abstain = AbstainRule { min_history_days: history, min_active_days: active };
            spoken_days(&sightings, abstain, 0, 60)
        };
        assert_eq!(days(0, 0), (11..60).collect::<Vec<_>>(), "not on the first day itself");
        assert_eq!(days(5, 0), (15..60).collect::<Vec<_>>());
        assert_eq!(days(1, 2), (12..42).collect::<Vec<_>>(), "two of the thirty days before");
        assert_eq!(days(1, 3), (13..41).collect::<Vec<_>>());
    }
}
