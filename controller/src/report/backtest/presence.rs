//! One instance of a trace: its visits, and the days on which it takes part.

use jiff::Timestamp;
use reveille_proto::InstanceId;

use crate::{model::fit::History, visits::Activity};

/// Sightings less than this apart are one visit, and the instance hibernates this long after its end.
pub const IDLE_S: i64 = 2 * 3_600;
/// How long an instance stays up after a wake that nobody uses.
pub const HOLD_S: i64 = 3 * 3_600;
/// An arrival within this of a wake makes the wake a hit.
pub const WINDOW_S: i64 = 3 * 3_600;
/// An instance serves this long after its wake: an earlier arrival still has to wait.
pub const BOOT_S: i64 = 300;
/// Days an instance must have been known, and among which its active days are counted, to be enrolled.
pub const ACTIVE_DAYS_WINDOW: i32 = 30;

const DAY_S: i64 = 86_400;

/// The recorded presence of one instance, in seconds since 1970 of the trace's clock.
#[derive(Debug, Clone)]
pub struct Traced {
    pub(super) instance: InstanceId,
    sightings_s: Vec<i64>,
    /// Start and last sighting of each visit.
    visits_s: Vec<(i64, i64)>,
    pub(super) activity: Activity,
    /// Ascending.
    enrolled_days: Vec<i32>,
    /// What the user's clock was ahead of the trace's at each sighting, in seconds; empty for 0.
    offsets_s: Vec<i32>,
}

impl Traced {
    /// Takes sightings in any order; there must be at least one, and all within the calendar's years.
    ///
    /// Enrolled is a day with at least `min_active_days` active ones among the 30 before it, 30 days or more
    /// after the first sighting, up to the day after the last one, and not before `after_day`.
    pub fn new(
        instance: InstanceId,
        mut sightings_s: Vec<i64>,
        min_active_days: u16,
        after_day: Option<i32>,
    ) -> Option<Self> {
        sightings_s.sort_unstable();
        let mut activity = Activity::default();
        let mut visits_s: Vec<(i64, i64)> = Vec::new();
        let mut days: Vec<i32> = Vec::new();
        for at_s in &sightings_s {
            activity.insert(Timestamp::from_second(*at_s).ok()?);
            match visits_s.last_mut() {
                Some((_, last_s)) if at_s - *last_s < IDLE_S => *last_s = *at_s,
                _ => visits_s.push((*at_s, *at_s)),
            }
            days.push(day_of_second(*at_s));
        }
        days.dedup();
        let enrolled_days = enrolled_days(&days, min_active_days, after_day)?;
        Some(Self { instance, sightings_s, visits_s, activity, enrolled_days, offsets_s: Vec::new() })
    }

    /// With what the user's clock was ahead of the trace's at each sighting, in seconds, in the order of time.
    #[must_use]
    pub fn with_offsets_s(self, offsets_s: Vec<i32>) -> Self {
        Self { offsets_s, ..self }
    }

    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// What a model is fitted on: every sighting, and the enrolled days.
    pub fn history(&self) -> History {
        let sightings = (0..self.sightings_s.len()).filter_map(|index| self.sighting(index)).collect();
        History { sightings, days: self.enrolled_days.clone() }
    }

    /// Seconds since 1970 of the trace's clock, and what the user's is ahead of it.
    pub(super) fn sighting(&self, index: usize) -> Option<(i64, i32)> {
        let at_s = *self.sightings_s.get(index)?;
        Some((at_s, self.offsets_s.get(index).copied().unwrap_or(0)))
    }

    pub fn sightings(&self) -> usize {
        self.sightings_s.len()
    }

    pub fn visits(&self) -> usize {
        self.visits_s.len()
    }

    pub fn enrolled_days(&self) -> &[i32] {
        &self.enrolled_days
    }

    /// Arrivals on enrolled days.
    pub fn arrivals_enrolled(&self) -> usize {
        self.visits_s.iter().filter(|(start_s, _)| self.is_enrolled(day_of_second(*start_s))).count()
    }

    pub(super) fn is_enrolled(&self, day: i32) -> bool {
        self.enrolled_days.binary_search(&day).is_ok()
    }

    /// Until when it stays awake, as far as is known at `now_s`; `None` when it sleeps.
    pub(super) fn awake_until(&self, now_s: i64) -> Option<i64> {
        let seen = self.sightings_s.partition_point(|at_s| *at_s <= now_s);
        let until_s = self.sightings_s[..seen].last()? + IDLE_S;
        (now_s < until_s).then_some(until_s)
    }

    /// The first arrival after `now_s`.
    pub(super) fn next_arrival(&self, now_s: i64) -> Option<i64> {
        let past = self.visits_s.partition_point(|(start_s, _)| *start_s <= now_s);
        self.visits_s.get(past).map(|(start_s, _)| *start_s)
    }
}

pub(super) fn day_of_second(at_s: i64) -> i32 {
    at_s.div_euclid(DAY_S) as i32
}

/// `None` when there is no active day.
fn enrolled_days(active: &[i32], min_active_days: u16, after_day: Option<i32>) -> Option<Vec<i32>> {
    let (first, last) = (*active.first()?, *active.last()?);
    let from = (first + ACTIVE_DAYS_WINDOW).max(after_day.unwrap_or(i32::MIN));
    let (mut low, mut high) = (0, 0);
    let mut enrolled = Vec::new();
    for day in from..=last + 1 {
        high += active[high..].iter().take_while(|d| **d < day).count();
        low += active[low..].iter().take_while(|d| **d < day - ACTIVE_DAYS_WINDOW).count();
        if high - low >= usize::from(min_active_days) {
            enrolled.push(day);
        }
    }
    Some(enrolled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn traced(sightings_s: Vec<i64>) -> Traced {
        let instance = InstanceId::new("dev1").expect("an id");
        Traced::new(instance, sightings_s, 5, None).expect("has sightings")
    }

    #[test]
    fn sightings_less_than_two_hours_apart_are_one_visit() {
        let one = traced(vec![0, IDLE_S - 1, 2 * IDLE_S - 2]);
        assert_eq!(one.visits_s, [(0, 2 * IDLE_S - 2)]);
        assert_eq!(one.awake_until(IDLE_S), Some(2 * IDLE_S - 1), "what is known then, not what follows");
        let two = traced(vec![IDLE_S, 0]);
        assert_eq!(two.visits_s, [(0, 0), (IDLE_S, IDLE_S)]);
        assert_eq!(two.awake_until(-1), None);
        assert_eq!(two.awake_until(2 * IDLE_S), None);
        assert_eq!(two.next_arrival(0), Some(IDLE_S));
        assert_eq!(two.next_arrival(IDLE_S), None);
    }

    #[test]
    fn days_are_enrolled_by_what_is_past() {
        // Active on days 0 and 26..=29: five within 30 days for day 30 only; day 31 has day 30 too.
        let mut days = vec![0, 26, 27, 28, 29];
        assert_eq!(enrolled_days(&days, 5, None), Some(vec![30]));
        days.push(30);
        assert_eq!(enrolled_days(&days, 5, None), Some(vec![30, 31]));
        assert_eq!(enrolled_days(&days, 5, Some(31)), Some(vec![31]));
        assert_eq!(enrolled_days(&days, 6, None), Some(vec![]));
        assert_eq!(enrolled_days(&[], 5, None), None);
        let all = traced((0..40).map(|day| day * DAY + 100).collect());
        assert_eq!(all.enrolled_days(), (30..=40).collect::<Vec<_>>());
        assert_eq!(all.arrivals_enrolled(), 10);
    }

    #[test]
    fn what_was_given_is_told() {
        let bare = traced(vec![10 * IDLE_S, 0, 60]);
        assert_eq!((bare.sightings(), bare.visits(), bare.instance().as_str()), (3, 2, "dev1"));
        assert_eq!([0, 2, 3].map(|i| bare.sighting(i)), [Some((0, 0)), Some((10 * IDLE_S, 0)), None]);
        let ahead = bare.with_offsets_s(vec![60, 3_600]);
        let expected = [Some((0, 60)), Some((60, 3_600)), Some((10 * IDLE_S, 0)), None];
        assert_eq!([0, 1, 2, 3].map(|i| ahead.sighting(i)), expected);
        let all = traced((0..40).map(|day| day * DAY + 100).collect());
        let History { sightings, days } = all.history();
        assert_eq!((sightings.len(), sightings[39], days), (40, (39 * DAY + 100, 0), (30..=40).collect()));
        assert!(Traced::new(all.instance().clone(), Vec::new(), 5, None).is_none());
    }

    #[test]
    fn hours_are_counted_in_seconds() {
        assert_eq!((IDLE_S, HOLD_S, WINDOW_S), (7_200, 10_800, 10_800));
        assert_eq!([-1, 0, DAY - 1, DAY, 3 * DAY].map(day_of_second), [-1, 0, 0, 1, 3]);
    }

    #[test]
    fn days_that_were_active_long_ago_do_not_count() {
        // Of the thirty days before day 30 five were active, of those before day 31 four.
        assert_eq!(enrolled_days(&[0, 1, 2, 3, 4, 40], 5, None), Some(vec![30]));
        assert_eq!(enrolled_days(&[0, 1, 2, 3, 4, 40], 2, None), Some((30..=33).collect()));
        let all = traced([0, 1, 2, 3, 4, 30, 31].map(|day| day * DAY).to_vec());
        assert_eq!(all.enrolled_days(), [30, 31, 32]);
        assert_eq!((all.arrivals_enrolled(), all.is_enrolled(30), all.is_enrolled(29)), (2, true, false));
    }
}
