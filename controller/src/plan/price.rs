//! The price of an idle hour, steered so that a budget is kept: a threshold that is as constant as the budget allows.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How steeply idle hours fall as the threshold rises: `d ln(idle hours) / d threshold`, about, measured on recorded
/// presence. A wrong value makes the way to the budget longer or shorter, not the budget another.
const FALL: f64 = 1.2;
/// Days after which what was seen counts half.
const HALF_LIFE_DAYS: f64 = 120.0;
/// Instance-days that the start threshold is trusted for: so few instances do not move it by chance.
const TRUST_INSTANCE_DAYS: f64 = 2_000.0;
/// And days at most: a small fleet has its own ways too.
const TRUST_DAYS: f64 = 60.0;
/// How far, as a share, spending may be above what was expected before the threshold is raised, and how far what is
/// owed may be above none. A budget kept to the hour by moving the threshold all the time costs 1 to 2 % of the arrivals
/// found awake, measured on recorded presence; one kept within a tenth costs half of that. There is no slack below: a
/// budget is there to be spent.
const SLACK: f64 = 0.07;
const OWED_SLACK: f64 = 0.05;
/// Days within which what was over- or underspent beyond the slack is to be paid back.
const REPAY_DAYS: f64 = 120.0;
/// Most that is paid back at once, as a share of the budget.
const REPAY_SHARE_MAX: f64 = 0.25;
/// Days without a single idle hour, one after the other, from which on they may have been an outage: see [`Price`].
const OUTAGE_DAYS: u32 = 7;
/// After an outage a day costs this share at least of what is expected at the threshold in force. Of a fleet that is
/// expected to cost fewer hours a day it cannot be told: a single wake may be as much.
const BACK_SHARE: f64 = 0.5;
const BACK_H_MIN: f64 = 24.0;
/// Farthest that spending is believed to be from what the model was fitted on, as a factor.
const RATIO_MAX: f64 = 4.0;

/// Chooses the threshold from which instances are woken, day by day, from what was spent.
///
/// A constant threshold is optimal: an idle hour is then worth the same every day. So the price asks one question, by
/// what factor this fleet spends more than the data the model was fitted on at the same threshold, and answers it from
/// a long memory, in which every day is set against what was expected at the threshold in force that day. On top, what
/// was over- or underspent is paid back slowly. Both leave alone what is within their slack: the budget is kept within
/// a tenth over the months, not every day.
///
/// While nothing at all is spent the threshold falls, or a fleet that nobody of reaches it would never be woken. If the
/// first day after a week or more of that costs what was expected, then wakes were not too dear but could not be made:
/// the silence is forgotten, and nothing is made up for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    start_threshold: f32,
    budget_h_per_day: f64,
    memory: Memory,
    /// Of the days since anything was spent, and how many these are.
    silence: Memory,
    silent_days: u32,
}

/// Sums over days, those far back counting less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Idle hours: seen, and expected at the thresholds that were in force.
    seen_h: f64,
    expected_h: f64,
    /// Instances a day, and days.
    instance_days: f64,
    days: f64,
    /// Budget less spending.
    owed_h: f64,
}

impl Memory {
    /// What was, `days` ago, with what has been since.
    fn then(self, days: u32, since: Self) -> Self {
        let keep = (-std::f64::consts::LN_2 * f64::from(days) / HALF_LIFE_DAYS).exp();
        Self {
            seen_h: self.seen_h * keep + since.seen_h,
            expected_h: self.expected_h * keep + since.expected_h,
            instance_days: self.instance_days * keep + since.instance_days,
            days: self.days * keep + since.days,
            owed_h: self.owed_h * keep + since.owed_h,
        }
    }
}

impl Price {
    /// `start_threshold` is what the budget (idle hours per instance and day) cost where the model was fitted.
    pub fn new(start_threshold: f32, budget_h_per_day: f64) -> Self {
        Self {
            start_threshold,
            budget_h_per_day,
            memory: Memory::default(),
            silence: Memory::default(),
            silent_days: 0,
        }
    }

    /// Another budget from now on, with its own start. What was learned of the fleet stays; old debts are forgotten.
    pub fn set_budget(&mut self, start_threshold: f32, budget_h_per_day: f64) {
        self.start_threshold = start_threshold;
        self.budget_h_per_day = budget_h_per_day;
        (self.memory.owed_h, self.silence.owed_h) = (0.0, 0.0);
    }

    /// Takes a day on which wakes were made: how many instances might have been woken, and the seconds awake without a
    /// user of the holds that ended on it. A hold that goes on is not known yet and counts on the day it ends.
    pub fn after_day(&mut self, instances: u64, idle_s: u64) {
        let (instances, idle_h) = (instances as f64, idle_s as f64 / 3_600.0);
        let lowered = f64::from(self.start_threshold - self.threshold());
        let expected_h = instances * self.budget_h_per_day * (FALL * lowered).exp();
        if !expected_h.is_finite() {
            return;
        }
        let day = Memory {
            seen_h: idle_h,
            expected_h,
            instance_days: instances,
            days: 1.0,
            owed_h: instances * self.budget_h_per_day - idle_h,
        };
        if idle_s == 0 {
            self.silence = self.silence.then(1, day);
            self.silent_days = self.silent_days.saturating_add(1);
            return;
        }
        let is_back = expected_h >= BACK_H_MIN && idle_h >= BACK_SHARE * expected_h;
        let was_outage = self.silent_days >= OUTAGE_DAYS && is_back;
        if !was_outage {
            self.memory = self.memory.then(self.silent_days, self.silence);
        }
        (self.silence, self.silent_days) = (Memory::default(), 0);
        self.memory = self.memory.then(1, day);
    }

    /// Scores from here on are worth a wake.
    pub fn threshold(&self) -> f32 {
        let Memory { seen_h, expected_h, instance_days, days, owed_h } =
            self.memory.then(self.silent_days, self.silence);
        let instances_per_day = instance_days / days.max(1.0);
        let trust_h = TRUST_INSTANCE_DAYS.min(TRUST_DAYS * instances_per_day) * self.budget_h_per_day;
        let ratio = (seen_h + trust_h) / (expected_h + trust_h);
        let ratio = ratio.clamp(1.0 / RATIO_MAX, RATIO_MAX).ln();
        let owed = owed_h / (instance_days * self.budget_h_per_day + trust_h);
        let repay =
            (beyond(owed, -OWED_SLACK..=0.0) * days / REPAY_DAYS).clamp(-REPAY_SHARE_MAX, REPAY_SHARE_MAX);
        let raised = (beyond(ratio, 0.0..=SLACK) - repay.ln_1p()) / FALL;
        if raised.is_finite() { self.start_threshold + raised as f32 } else { self.start_threshold }
    }

    /// Idle hours per instance and day that are aimed at.
    pub fn budget_h_per_day(&self) -> f64 {
        self.budget_h_per_day
    }
}

/// How far `value` is outside of `slack`.
fn beyond(value: f64, slack: RangeInclusive<f64>) -> f64 {
    value - value.clamp(*slack.start(), *slack.end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A fleet that spends `factor` times what the model expects, with other steepness and some noise.
    struct Fleet {
        instances: u64,
        start: f32,
        budget_h: f64,
        factor: f64,
        fall: f64,
        /// Spread of one instance's day, as a share of its mean.
        spread: f64,
        seed: u64,
    }

    impl Fleet {
        fn of(instances: u64) -> Self {
            Self { instances, start: -1.0, budget_h: 1.5, factor: 1.0, fall: 1.2, spread: 0.0, seed: 1 }
        }

        /// Numbers from -1 to 1, about evenly.
        fn draw(&mut self) -> f64 {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        }

        fn idle_s(&mut self, threshold: f32) -> u64 {
            let lowered = f64::from(self.start - threshold);
            let mean_h = self.budget_h * self.factor * (self.fall * lowered).exp() * self.instances as f64;
            // The spread of a sum of `instances` days; that of an even draw is the root of a third.
            let noise = self.spread / (self.instances as f64).sqrt() * self.draw() * 3.0_f64.sqrt();
            (mean_h * (1.0 + noise).max(0.0) * 3_600.0) as u64
        }

        /// Idle hours per instance-day of each day, and the thresholds in force.
        fn run(&mut self, price: &mut Price, days: usize) -> (Vec<f64>, Vec<f32>) {
            let day = |_| {
                let threshold = price.threshold();
                let idle_s = self.idle_s(threshold);
                price.after_day(self.instances, idle_s);
                (idle_s as f64 / 3_600.0 / self.instances as f64, threshold)
            };
            (0..days).map(day).unzip()
        }
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn it_starts_where_it_is_told() {
        let price = Price::new(-0.7, 1.0);
        assert!((price.threshold() + 0.7).abs() < 1e-6);
        let mut silent = Price::new(f32::INFINITY, 1.0);
        silent.after_day(10, 0);
        assert!(silent.threshold().is_infinite(), "no model, no wakes");
    }

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 2e-4, "{value} is not {expected}");
    }

    /// By how much one day on which so many instances cost so many times the 1.5 h they were expected to moves a threshold.
    fn moved_by_a_day(instances: u64, times: f64) -> f64 {
        let mut price = Price::new(-1.0, 1.5);
        price.after_day(instances, (instances as f64 * 1.5 * times * 3_600.0) as u64);
        f64::from(price.threshold()) + 1.0
    }

    #[test]
    fn the_budget_is_told_and_what_was_half_a_memory_ago_counts_half() {
        assert_near(Price::new(-1.0, 1.5).budget_h_per_day(), 1.5);
        let memory = Memory { seen_h: 8.0, expected_h: 6.0, instance_days: 4.0, days: 2.0, owed_h: -10.0 };
        let day = Memory { seen_h: 1.0, expected_h: 2.0, instance_days: 3.0, days: 1.0, owed_h: 4.0 };
        let Memory { seen_h, expected_h, instance_days, days, owed_h } = memory.then(120, day);
        for (value, expected) in
            [(seen_h, 5.0), (expected_h, 5.0), (instance_days, 5.0), (days, 2.0), (owed_h, -1.0)]
        {
            assert_near(value, expected);
        }
    }

    #[test]
    fn a_day_moves_the_threshold_as_far_as_it_is_trusted() {
        // The start is trusted for 3000 h. Twice the cost: ln (600 + 3000) / (300 + 3000), less 7 % of slack, and one part in
        // 120 of what is owed, less 5 %; by 1.2.
        assert_near(moved_by_a_day(200, 2.0), 0.01446);
        // Half of it: there is no slack below.
        assert_near(moved_by_a_day(200, 0.5), -0.03908);
        assert_near(moved_by_a_day(200, 1.05), 0.0);
        // Five instances: 450 h.
        assert_near(moved_by_a_day(5, 40.0), 0.3577);
    }

    #[test]
    fn neither_what_is_believed_of_a_fleet_nor_what_is_paid_back_is_without_bound() {
        let moved = |seen_h, expected_h, owed_h| {
            let memory = Memory { seen_h, expected_h, instance_days: 20_000.0, days: 100.0, owed_h };
            f64::from(Price { memory, ..Price::new(-1.0, 1.5) }.threshold()) + 1.0
        };
        assert_near(moved(30_000.0, 30_000.0, 0.0), 0.0);
        assert_near(moved(30_000.0, 30_000.0, -30_000.0), -0.75_f64.ln() / 1.2);
        assert_near(moved(30_000.0, 30_000.0, 30_000.0), -1.25_f64.ln() / 1.2);
        assert_near(moved(30_000.0, 30_000.0, -6_600.0), -(1.0_f64 - 0.15 / 1.2).ln() / 1.2);
        assert_near(moved(3e6, 30_000.0, 0.0), (4.0_f64.ln() - 0.07) / 1.2);
        assert_near(moved(0.0, 3e6, 0.0), -(4.0_f64.ln()) / 1.2);
    }

    #[test]
    fn a_new_budget_begins_without_debts() {
        let mut price = Price::new(-1.0, 1.5);
        for _ in 0..60 {
            price.after_day(200, 200 * 3 * 3_600);
        }
        let in_debt = f64::from(price.threshold()) + 1.0;
        price.set_budget(-2.0, 1.5);
        let without = f64::from(price.threshold()) + 2.0;
        assert!(without > 0.1 && without < in_debt - 0.05, "{without} of {in_debt}");
        for _ in 0..5 {
            price.after_day(200, 0);
        }
        price.set_budget(-1.0, 3.0);
        assert_near(price.budget_h_per_day(), 3.0);
        assert!(price.memory.owed_h.abs() < 1e-9 && price.silence.owed_h.abs() < 1e-9);
    }

    #[test]
    fn a_silence_of_a_week_is_forgotten_when_the_day_after_costs_what_was_expected() {
        let days_kept = |silent: u32, instances: u64, share: f64| {
            let mut price = Price::new(-1.0, 1.5);
            for _ in 0..silent {
                price.after_day(instances, 0);
            }
            let lowered = -1.0 - f64::from(price.threshold());
            let expected_h = instances as f64 * 1.5 * (1.2 * lowered).exp();
            price.after_day(instances, (share * expected_h * 3_600.0) as u64);
            price.memory.days
        };
        assert_near(days_kept(7, 200, 0.51), 1.0);
        assert!(days_kept(6, 200, 1.0) > 6.5, "six days are no outage");
        assert!(days_kept(7, 200, 0.49) > 7.5, "little came back: nobody reached the threshold");
        assert!(days_kept(7, 5, 1.0) > 7.5, "of so small a fleet it cannot be told");
    }

    #[test]
    fn a_fleet_that_spends_twice_or_half_as_expected_comes_to_the_budget() {
        for (factor, fall) in [(2.0, 1.2), (0.5, 1.2), (2.0, 0.8), (0.5, 1.8)] {
            let mut fleet = Fleet { factor, fall, ..Fleet::of(200) };
            let mut price = Price::new(fleet.start, fleet.budget_h);
            let (spent, thresholds) = fleet.run(&mut price, 730);
            assert!(
                (mean(&spent[180..]) / 1.5 - 1.0).abs() < 0.1,
                "{factor} {fall}: {}",
                mean(&spent[180..])
            );
            let (late, far) = (&thresholds[365..], f64::ln(factor) / fall);
            for threshold in late {
                let off = f64::from(*threshold - fleet.start) - far;
                assert!(off.abs() < 0.12, "{factor} {fall}: {threshold}");
            }
        }
    }

    #[test]
    fn five_instances_do_not_make_it_swing() {
        let mut fleet = Fleet { spread: 1.5, ..Fleet::of(5) };
        let mut price = Price::new(fleet.start, fleet.budget_h);
        let (spent, thresholds) = fleet.run(&mut price, 1_000);
        assert!((mean(&spent) / 1.5 - 1.0).abs() < 0.1, "{}", mean(&spent));
        for pair in thresholds.windows(2) {
            assert!((pair[1] - pair[0]).abs() < 0.05, "{pair:?}");
        }
        assert!(thresholds.iter().all(|threshold| (threshold - fleet.start).abs() < 0.25));
    }

    #[test]
    fn another_budget_is_followed_at_once() {
        let mut fleet = Fleet { factor: 1.6, spread: 1.0, ..Fleet::of(1_000) };
        let mut price = Price::new(fleet.start, fleet.budget_h);
        fleet.run(&mut price, 200);
        // Where it was fitted, 3 h cost a threshold lower by ln 2 / 1.2.
        price.set_budget(fleet.start - (2.0_f32.ln() / 1.2), 3.0);
        let (spent, _) = fleet.run(&mut price, 60);
        assert!((mean(&spent) / 3.0 - 1.0).abs() < 0.12, "{}", mean(&spent));
    }

    #[test]
    fn after_days_without_wakes_it_does_not_spend_all_at_once() {
        let mut fleet = Fleet::of(100);
        let mut price = Price::new(fleet.start, fleet.budget_h);
        for _ in 0..400 {
            price.after_day(100, 0);
        }
        let (spent, _) = fleet.run(&mut price, 1);
        assert!(spent[0] < 1.5 * RATIO_MAX * (1.0 + REPAY_SHARE_MAX) * 1.001, "{spent:?}");
        let (spent, _) = fleet.run(&mut price, 200);
        assert!((mean(&spent) / 1.5 - 1.0).abs() < 0.1, "{}", mean(&spent));
    }

    #[test]
    fn a_fleet_that_nobody_of_reaches_the_threshold_is_woken_in_time() {
        // A tenth of what is expected, and that only from a lower threshold on.
        let mut fleet = Fleet { factor: 0.1, ..Fleet::of(50) };
        let mut price = Price::new(fleet.start, fleet.budget_h);
        let mut first = None;
        for day in 0..400 {
            let threshold = price.threshold();
            let idle_s = if threshold < fleet.start - 0.5 { fleet.idle_s(threshold) } else { 0 };
            first = first.or((idle_s > 0).then_some(day));
            price.after_day(50, idle_s);
        }
        assert!(first.is_some_and(|day| (7..120).contains(&day)), "{first:?}");
        assert!(price.threshold() < fleet.start - 0.5, "and it stays awake: {}", price.threshold());
    }

    proptest! {
        #[test]
        fn the_threshold_is_a_number_whatever_happens(
            days in proptest::collection::vec((0..1_000_000u64, 0..u64::MAX), 0..50),
            start in -20.0..20.0f32,
            budget_h in 0.001..24.0f64,
        ) {
            let mut price = Price::new(start, budget_h);
            for (instances, idle_s) in days {
                price.after_day(instances, idle_s);
                prop_assert!(price.threshold().is_finite());
                prop_assert!((price.threshold() - start).abs() < 2.0);
            }
        }
    }
}
