//! What a policy's wakes cost by day, and the threshold that its idle budget makes of that.

use std::collections::BTreeMap;

use crate::model::Fitted;
use crate::plan::Price;

/// Days after which the verdicts of a day are all in. Production waits as long.
const VERDICT_DAYS: i32 = 2;

#[derive(Debug)]
pub(super) struct Spend {
    price: Price,
    /// By UTC day since 1970; those the price has taken are gone.
    days: BTreeMap<i32, Day>,
}

#[derive(Debug, Default)]
struct Day {
    instances: u64,
    /// Of wakes that began to serve on the day.
    idle_s: f64,
}

impl Spend {
    pub(super) fn new(fitted: &Fitted, budget_h: f64) -> Self {
        Self { price: Price::new(fitted.threshold(budget_h), budget_h), days: BTreeMap::new() }
    }

    /// A wake of `day` cost so much.
    pub(super) fn woke(&mut self, day: i32, idle_s: f64) {
        self.days.entry(day).or_default().idle_s += idle_s;
    }

    /// So many instances were forecast on `day`.
    pub(super) fn forecast(&mut self, day: i32, instances: u64) {
        self.days.entry(day).or_default().instances = instances;
    }

    /// The threshold of `today`. A day on which nobody could be woken says nothing of what wakes cost.
    pub(super) fn begin_day(&mut self, today: i32) -> f32 {
        while let Some(entry) = self.days.first_entry().filter(|entry| *entry.key() <= today - VERDICT_DAYS) {
            let day = entry.remove();
            if day.instances > 0 {
                self.price.after_day(day.instances, day.idle_s.max(0.0) as u64);
            }
        }
        self.price.threshold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_paid_when_its_verdicts_are_in() {
        let fitted = Fitted::embedded();
        let mut spend = Spend::new(fitted, 1.0);
        let start = spend.begin_day(10);
        spend.forecast(9, 5_000);
        spend.forecast(10, 5_000);
        spend.woke(10, 3_600.0 * 20_000.0);
        let cheaper = spend.begin_day(11);
        assert!(cheaper < start, "nothing was spent on the ninth, the tenth is open: {cheaper} {start}");
        let dearer = spend.begin_day(12);
        assert!(dearer > cheaper, "four times the budget was spent: {dearer} {cheaper}");
        assert_eq!(spend.begin_day(13).to_bits(), dearer.to_bits(), "and is paid once");
    }

    #[test]
    fn a_day_without_a_forecast_says_nothing_of_what_wakes_cost() {
        let mut spend = Spend::new(Fitted::embedded(), 1.0);
        let start = spend.begin_day(10);
        spend.woke(8, 3_600.0 * 20_000.0);
        assert_eq!(spend.begin_day(10).to_bits(), start.to_bits());
    }

    #[test]
    fn all_wakes_of_a_day_are_paid() {
        let after = |wakes: &[f64]| {
            let mut spend = Spend::new(Fitted::embedded(), 1.0);
            spend.forecast(8, 5_000);
            for idle_s in wakes {
                spend.woke(8, *idle_s);
            }
            spend.begin_day(10).to_bits()
        };
        assert_eq!(after(&[7_200.0 * 5_000.0, 3_600.0 * 5_000.0]), after(&[10_800.0 * 5_000.0]));
        assert_ne!(after(&[7_200.0 * 5_000.0]), after(&[10_800.0 * 5_000.0]));
    }
}
