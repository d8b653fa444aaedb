//! What the replayed wakes were worth, counted as a published replay counts them.

use serde::Serialize;

use super::presence::{BOOT_S, HOLD_S, Traced, WINDOW_S};

/// Counts over all instances and enrolled days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub wakes: u64,
    /// Wakes with an arrival within 3 h.
    pub hits: u64,
    /// Arrivals from 5 min to 3 h after a wake: they found the instance awake.
    pub warm: u64,
    /// Time awake without a user, in seconds: until the arrival of a hit, 3 h otherwise.
    pub idle_s: u64,
}

impl Tally {
    /// Counts a wake and returns until when its hold lasts.
    pub(super) fn count(&mut self, traced: &Traced, wake_s: i64) -> i64 {
        self.wakes += 1;
        let wait_s = traced.next_arrival(wake_s).map(|arrival_s| arrival_s - wake_s);
        let used_s = wait_s.filter(|wait_s| *wait_s <= WINDOW_S);
        self.hits += u64::from(used_s.is_some());
        self.warm += u64::from(used_s.is_some_and(|wait_s| wait_s >= BOOT_S));
        let held_s = used_s.unwrap_or(HOLD_S);
        self.idle_s += held_s.unsigned_abs();
        wake_s + held_s
    }
}

/// The figures of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Share of the arrivals on enrolled days that found the instance awake thanks to a wake.
    pub recall: f64,
    /// Share of the wakes with an arrival within 3 h; `None` without a wake.
    pub precision: Option<f64>,
    /// Hours awake without a user because of wakes, per instance and enrolled day.
    pub idle_hours_per_day: f64,
    /// Per instance and enrolled day.
    pub wakes_per_day: f64,
    /// Arrivals that found the instance asleep, per instance and enrolled day.
    pub manual_per_day: f64,
    #[serde(flatten)]
    pub tally: Tally,
}

impl Score {
    pub fn new(tally: Tally, arrivals: u64, enrolled_days: u64) -> Self {
        let per_day = |value: f64| value / enrolled_days.max(1) as f64;
        Self {
            recall: tally.warm as f64 / arrivals.max(1) as f64,
            precision: (tally.wakes > 0).then(|| tally.hits as f64 / tally.wakes as f64),
            idle_hours_per_day: per_day(tally.idle_s as f64 / 3_600.0),
            wakes_per_day: per_day(tally.wakes as f64),
            manual_per_day: per_day(arrivals as f64 - tally.warm as f64),
            tally,
        }
    }
}

#[cfg(test)]
mod tests {
    use reveille_proto::InstanceId;

    use super::*;

    #[test]
    fn a_wake_is_counted_by_when_its_user_comes() {
        let instance = InstanceId::new("dev1").expect("an id");
        let traced = Traced::new(instance, vec![100_000], 5, None).expect("one sighting");
        let counted = |before_s: i64| {
            let mut tally = Tally::default();
            let hold_s = tally.count(&traced, 100_000 - before_s);
            assert_eq!(hold_s, 100_000 - before_s + tally.idle_s as i64);
            (tally.hits, tally.warm, tally.idle_s)
        };
        assert_eq!(counted(1), (1, 0, 1));
        assert_eq!(counted(299), (1, 0, 299));
        assert_eq!(counted(300), (1, 1, 300));
        assert_eq!(counted(10_800), (1, 1, 10_800));
        assert_eq!(counted(10_801), (0, 0, 10_800));
        assert_eq!(counted(0), (0, 0, 10_800), "it was there already");
    }

    #[test]
    fn shares_and_rates() {
        let score = Score::new(Tally { wakes: 8, hits: 6, warm: 5, idle_s: 7_200 }, 20, 10);
        let all = [score.recall, score.idle_hours_per_day, score.wakes_per_day, score.manual_per_day];
        for (is, expected) in all.iter().zip([0.25, 0.2, 0.8, 1.5]) {
            assert!((is - expected).abs() < 1e-12, "{is} {expected}");
        }
        assert_eq!(score.precision, Some(0.75));
        assert_eq!(Score::new(Tally::default(), 0, 0).precision, None);
    }
}
