//! One budget during a replay: its wakes, what is known of their cost by now, and the price that follows from it.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    presence::{HOLD_S, Traced},
    replay::ReplayedWake,
    score::Tally,
};
use crate::plan::Price;

/// What a budget brought.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRun {
    /// Idle hours per instance and day that were asked for.
    pub budget_h: f64,
    pub tally: Tally,
    /// By time.
    pub wakes: Vec<ReplayedWake>,
    pub threshold_start: f32,
    /// The lowest and the highest of all days, and the last.
    pub threshold_min: f32,
    pub threshold_max: f32,
    pub threshold_end: f32,
}

pub(super) struct Budget {
    run: BudgetRun,
    price: Price,
    /// Of the day: it changes at midnight only.
    threshold: f32,
    /// Per instance: when it was last woken.
    last_wake_s: Vec<i64>,
    /// When each hold that goes on will end, the first first, and what it will have cost. Not looked at before then.
    holds: BinaryHeap<Reverse<(i64, u64)>>,
}

impl Budget {
    pub(super) fn new(budget_h: f64, start: f32, instances: usize) -> Self {
        let run = BudgetRun {
            budget_h,
            tally: Tally::default(),
            wakes: Vec::new(),
            threshold_start: start,
            threshold_min: start,
            threshold_max: start,
            threshold_end: start,
        };
        Self {
            run,
            price: Price::new(start, budget_h),
            threshold: start,
            last_wake_s: vec![i64::MIN; instances],
            holds: BinaryHeap::new(),
        }
    }

    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Until when a wake holds the instance awake, as is known at `now_s`: whoever came ended the hold.
    pub(super) fn held_until_s(&self, index: usize, last_seen_s: i64, now_s: i64) -> Option<i64> {
        let wake_s = self.last_wake_s[index];
        let until_s = wake_s.saturating_add(HOLD_S);
        (wake_s >= last_seen_s && now_s < until_s).then_some(until_s)
    }

    pub(super) fn wake(&mut self, index: usize, traced: &Traced, at_s: i64) {
        let before_s = self.run.tally.idle_s;
        let ends_s = self.run.tally.count(traced, at_s);
        self.holds.push(Reverse((ends_s, self.run.tally.idle_s - before_s)));
        self.last_wake_s[index] = at_s;
        self.run.wakes.push(ReplayedWake { instance: traced.instance().clone(), at_s });
    }

    /// The day ends at `midnight_s`: the holds that have ended by then are paid.
    pub(super) fn end_day(&mut self, midnight_s: i64, instances: u64) {
        let mut idle_s = 0;
        while let Some(Reverse((ends_s, cost_s))) = self.holds.peek().copied()
            && ends_s <= midnight_s
        {
            idle_s += cost_s;
            self.holds.pop();
        }
        self.price.after_day(instances, idle_s);
        self.threshold = self.price.threshold();
        self.run.threshold_min = self.run.threshold_min.min(self.threshold);
        self.run.threshold_max = self.run.threshold_max.max(self.threshold);
        self.run.threshold_end = self.threshold;
    }

    pub(super) fn finish(self) -> BudgetRun {
        self.run
    }
}

#[cfg(test)]
mod tests {
    use reveille_proto::InstanceId;

    use super::*;

    #[test]
    fn a_hold_is_paid_on_the_day_it_ends() {
        let id = InstanceId::new("dev1").expect("an id");
        let traced = Traced::new(id, vec![90_000], 5, None).expect("one sighting");
        let mut budget = Budget::new(1.0, 0.5, 1);
        // Woken 15 minutes before midnight; its user comes an hour after it.
        budget.wake(0, &traced, 85_500);
        assert_eq!(budget.held_until_s(0, i64::MIN, 86_400), Some(96_300));
        assert_eq!(budget.held_until_s(0, 90_000, 97_200), None, "somebody came");
        assert_eq!(budget.held_until_s(0, i64::MIN, 96_300), None);
        let mut nothing = Price::new(0.5, 1.0);
        nothing.after_day(1, 0);
        budget.end_day(86_400, 1);
        assert_eq!(budget.price, nothing);
        nothing.after_day(1, 4_500);
        budget.end_day(172_800, 1);
        assert_eq!(budget.price, nothing);
        let run = budget.finish();
        assert_eq!((run.tally.idle_s, run.wakes.len()), (4_500, 1));
        assert!(run.threshold_min <= run.threshold_end && run.threshold_end <= run.threshold_max);
    }

    #[test]
    fn holds_that_end_on_the_same_day_are_paid_together() {
        let id = InstanceId::new("dev1").expect("an id");
        let traced = Traced::new(id, vec![90_000, 300_000], 5, None).expect("has sightings");
        let mut budget = Budget::new(1.0, 0.5, 2);
        // The first is used at 90,000 s, the second by nobody until 210,800 s.
        budget.wake(0, &traced, 85_500);
        budget.wake(1, &traced, 200_000);
        assert_eq!(budget.held_until_s(0, 85_500, 85_500), Some(96_300), "seen as it was woken");
        assert_eq!(budget.held_until_s(1, 0, 200_000), Some(210_800));
        let mut price = Price::new(0.5, 1.0);
        let mut days = vec![budget.threshold()];
        for (midnight_s, paid_s) in [(89_999, 0), (90_000, 4_500), (210_799, 0), (210_800, 10_800)] {
            budget.end_day(midnight_s, 2);
            price.after_day(2, paid_s);
            assert_eq!(budget.price, price, "{midnight_s}");
            assert_eq!(budget.threshold().to_bits(), price.threshold().to_bits());
            days.push(budget.threshold());
        }
        budget.wake(0, &traced, 220_000);
        budget.wake(1, &traced, 295_000);
        budget.end_day(345_600, 2);
        price.after_day(2, 10_800 + 5_000);
        assert_eq!(budget.price, price);
        days.push(budget.threshold());
        let run = budget.finish();
        let ends = [f32::min, f32::max].map(|of| days.iter().copied().reduce(of).map(f32::to_bits));
        assert_eq!([run.threshold_min, run.threshold_max].map(|end| Some(end.to_bits())), ends);
        assert_eq!(run.threshold_end.to_bits(), price.threshold().to_bits());
        assert_eq!((run.wakes.len(), run.wakes[1].at_s, run.tally.idle_s), (4, 200_000, 31_100));
    }
}
