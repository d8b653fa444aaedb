//! Both arms compared, unit by unit: how many fewer people have to ask on a day on which instances are woken.

use std::collections::BTreeMap;

use super::{
    Arm, Unit,
    boundary::{ALPHA, half_width},
};

/// Units of each arm before anything is said: the central limit theorem needs some.
pub const UNITS_PER_ARM_MIN: u64 = 30;

/// What is expected of a cohort leans on the fleet as if so many of its units were known.
const PRIOR_UNITS: f64 = 5.0;

/// More units than this are not waited for.
const UNITS_MAX: f64 = 1e8;

/// The comparison as far as it has come.
///
/// For each unit, what would have been asked had it been held out, less what had it been woken, is estimated from its
/// arm by inverse probability weighting around what units before it let one expect of its cohort (augmented inverse
/// probability weighting; Robins, Rotnitzky, Zhao 1994). With a known share, that is right on average
/// whatever was expected; expecting per cohort makes the sum as precise as one stratified by cohort and weighted by the
/// cohorts' sizes. Units are taken in the order in which they became complete, so that what is expected of
/// one never depends on it.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    units: u64,
    /// By arm.
    fleet: [Sum; 2],
    cohorts: BTreeMap<String, [Sum; 2]>,
    /// Running averages, by arm, of what was asked had all units been in it.
    averages: [f64; 2],
    /// Running average of the difference, and the sum of squares around it.
    difference: f64,
    squares: f64,
    /// Sum of `1 / share + 1 / (1 - share)`, by which a unit's variance grows in the difference.
    weights: f64,
    /// Sum of squares of what was asked.
    asked_squares: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    units: f64,
    asked: f64,
}

impl Sum {
    fn add(&mut self, asked: f64) {
        self.units += 1.0;
        self.asked += asked;
    }

    /// The average, leaning on `expected`.
    fn leaning_on(self, expected: f64) -> f64 {
        (self.asked + PRIOR_UNITS * expected) / (self.units + PRIOR_UNITS)
    }
}

/// The difference so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Asked per unit had all been held out, less had all been woken.
    pub fewer: f64,
    /// Standard deviation of one unit's difference.
    pub deviation: f64,
    pub units: u64,
}

impl Comparison {
    /// Takes the next complete unit.
    pub fn add(&mut self, unit: &Unit) {
        let asked = f64::from(unit.asked);
        let share = unit.hold_out_share;
        let likely = |arm| if arm == Arm::HeldOut { share } else { 1.0 - share };
        self.units += 1;
        let [woken, held_out] = [Arm::Woken, Arm::HeldOut].map(|arm| {
            let expected = self.expected(&unit.cohort, arm);
            expected + if unit.arm == arm { (asked - expected) / likely(arm) } else { 0.0 }
        });
        let units = self.units as f64;
        self.averages[0] += (woken - self.averages[0]) / units;
        self.averages[1] += (held_out - self.averages[1]) / units;
        let off = held_out - woken - self.difference;
        self.difference += off / units;
        self.squares += off * (held_out - woken - self.difference);
        self.weights += 1.0 / share + 1.0 / (1.0 - share);
        self.asked_squares += asked * asked;
        self.fleet[unit.arm as usize].add(asked);
        if let Some(cohort) = self.cohorts.get_mut(&unit.cohort) {
            cohort[unit.arm as usize].add(asked);
        } else {
            self.cohorts.entry(unit.cohort.clone()).or_default()[unit.arm as usize].add(asked);
        }
    }

    /// What the units so far let one expect of a cohort's next unit in an arm.
    fn expected(&self, cohort: &str, arm: Arm) -> f64 {
        let [woken, held_out] = self.fleet;
        let asked = (woken.asked + held_out.asked) / (woken.units + held_out.units).max(1.0);
        let of_fleet = self.fleet[arm as usize].leaning_on(asked);
        self.cohorts.get(cohort).map_or(of_fleet, |arms| arms[arm as usize].leaning_on(of_fleet))
    }

    /// Asked per unit, had all been in that arm; none before there is a unit in it.
    pub fn asked_per_unit(&self, arm: Arm) -> Option<f64> {
        (self.fleet[arm as usize].units > 0.0).then_some(self.averages[arm as usize])
    }

    /// The difference; none while an arm has fewer than [`UNITS_PER_ARM_MIN`] units.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.fleet.iter().any(|arm| arm.units < UNITS_PER_ARM_MIN as f64) {
            return None;
        }
        let deviation = self.variance_seen().max(self.variance_without_effect()).sqrt();
        Some(Estimate { fewer: self.difference, deviation, units: self.units })
    }

    /// As if one unit more had been off by one who asked: among few units that seldom ask, none may have, and they
    /// would seem to be all alike.
    fn variance_seen(&self) -> f64 {
        let units = self.units as f64;
        let weight = self.weights / units;
        (self.squares + weight * weight) / (units - 1.0)
    }

    /// Were the arms alike. The few units held out may seem so by chance, while all units together know better.
    fn variance_without_effect(&self) -> f64 {
        let units = self.units as f64;
        let asked = self.fleet.iter().map(|arm| arm.asked).sum::<f64>() / units;
        let variance_of_asked = (self.asked_squares / units - asked * asked).max(0.0);
        variance_of_asked * self.weights / units
    }
}

impl Estimate {
    /// Ends of the interval that holds the truth at all times at once with probability 1 - [`ALPHA`].
    pub fn interval(&self) -> (f64, f64) {
        let half = half_width(self.units as f64, self.deviation, ALPHA);
        (self.fewer - half, self.fewer + half)
    }

    /// Whether the interval leaves zero out.
    pub fn is_significant(&self) -> bool {
        let (low, high) = self.interval();
        low > 0.0 || high < 0.0
    }

    /// How many units more would leave zero out, were the difference and its deviation to stay as they are; none
    /// where the difference is too small for that to mean anything.
    pub fn units_needed(&self) -> Option<u64> {
        let suffices = |units: f64| half_width(units, self.deviation, ALPHA) < self.fewer.abs();
        let now = self.units as f64;
        let doubled = std::iter::successors(Some(now), |units| Some(2.0 * units));
        let mut enough = doubled.take_while(|units| *units < UNITS_MAX).find(|units| suffices(*units))?;
        let mut too_few = (enough / 2.0).max(now);
        while enough - too_few > 1.0 {
            let between = f64::midpoint(too_few, enough);
            if suffices(between) { enough = between } else { too_few = between }
        }
        Some((enough - now).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn unit(cohort: &str, arm: Arm, asked: u32) -> Unit {
        Unit {
            instance: "dev1".parse().expect("an id"),
            cohort: cohort.to_owned(),
            arm,
            hold_out_share: 0.25,
            from: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
            arrivals: asked,
            asked,
            waited_s: 0.0,
            waits_known: 0,
        }
    }

    fn near(is: f64, expected: f64) {
        assert!((is - expected).abs() < 1e-12, "{is} {expected}");
    }

    /// Four units by hand, a quarter of all held out: a unit that is held out counts four times, one that is woken
    /// 4/3 times what it is off from what was expected.
    #[test]
    fn each_unit_is_weighted_around_what_was_expected_of_its_cohort() {
        let mut comparison = Comparison::default();
        assert_eq!([Arm::Woken, Arm::HeldOut].map(|arm| comparison.asked_per_unit(arm)), [None, None]);
        // Nothing is expected yet: 0 + 1 * 4/3, and 0.
        comparison.add(&unit("a", Arm::Woken, 1));
        near(comparison.asked_per_unit(Arm::Woken).expect("one"), 4.0 / 3.0);
        assert_eq!(comparison.asked_per_unit(Arm::HeldOut), None);
        near(comparison.difference, -4.0 / 3.0);
        near(comparison.squares, 0.0);
        near(comparison.weights, 16.0 / 3.0);
        // One is expected of each arm: 1, and 1 + (2 - 1) * 4.
        comparison.add(&unit("a", Arm::HeldOut, 2));
        near(comparison.averages[0], 7.0 / 6.0);
        near(comparison.averages[1], 2.5);
        near(comparison.difference, 4.0 / 3.0);
        near(comparison.squares, 128.0 / 9.0);
        // Of an unknown cohort, 17/12 and 19/12 are expected: 17/12 - 17/12 * 4/3, and 19/12.
        near(comparison.expected("b", Arm::Woken), 17.0 / 12.0);
        near(comparison.expected("b", Arm::HeldOut), 19.0 / 12.0);
        comparison.add(&unit("b", Arm::Woken, 0));
        near(comparison.averages[0], 67.0 / 108.0);
        near(comparison.averages[1], 79.0 / 36.0);
        near(comparison.difference, 85.0 / 54.0);
        near(comparison.squares, 7_081.0 / 486.0);
        // Of the known cohort less is expected, as its unit did not ask: 5/7, and 7/6 + (1 - 7/6) * 4.
        near(comparison.expected("b", Arm::Woken), 5.0 / 7.0);
        near(comparison.expected("b", Arm::HeldOut), 7.0 / 6.0);
        comparison.add(&unit("b", Arm::HeldOut, 1));
        near(comparison.difference, 71.0 / 63.0);
        near(comparison.squares, 404_091.0 / 23_814.0);
        near(comparison.weights, 64.0 / 3.0);
        near(comparison.asked_squares, 6.0);
        let arms = [Arm::Woken, Arm::HeldOut].map(|arm| comparison.asked_per_unit(arm).expect("two of each"));
        near(arms[1] - arms[0], 71.0 / 63.0);
        // With a unit off by one that counts 16/3; and were the arms alike, 6/4 - 1^2 that counts 16/3.
        near(comparison.variance_seen(), (404_091.0 / 23_814.0 + 256.0 / 9.0) / 3.0);
        near(comparison.variance_without_effect(), 8.0 / 3.0);
    }

    #[test]
    fn the_deviation_is_the_larger_of_both() {
        let mut alike = Comparison::default();
        let mut apart = Comparison::default();
        for n in 0..80 {
            let arm = if n % 2 == 0 { Arm::HeldOut } else { Arm::Woken };
            alike.add(&unit("a", arm, n / 2 % 2));
            apart.add(&unit("a", arm, if arm == Arm::HeldOut { 3 } else { 0 }));
        }
        for comparison in [alike, apart] {
            let estimate = comparison.estimate().expect("forty of each");
            let larger = comparison.variance_seen().max(comparison.variance_without_effect());
            near(estimate.deviation * estimate.deviation, larger);
            near(estimate.fewer, comparison.difference);
            assert_eq!(estimate.units, 80);
        }
    }

    #[test]
    fn nothing_is_said_before_each_arm_has_thirty_units() {
        let of = |woken: usize, held_out: usize| {
            let mut comparison = Comparison::default();
            let woken = std::iter::repeat_n(unit("a", Arm::Woken, 0), woken);
            woken
                .chain(std::iter::repeat_n(unit("a", Arm::HeldOut, 1), held_out))
                .for_each(|u| comparison.add(&u));
            comparison.estimate().is_some()
        };
        assert_eq!([of(30, 30), of(29, 60), of(60, 29)], [true, false, false]);
    }

    fn estimate(fewer: f64) -> Estimate {
        Estimate { fewer, deviation: 2.0, units: 500 }
    }

    #[test]
    fn an_effect_is_certain_when_zero_is_left_out_on_either_side() {
        let half = half_width(500.0, 2.0, ALPHA);
        let (low, high) = estimate(1.5).interval();
        near(low, 1.5 - half);
        near(high, 1.5 + half);
        let certain = [1.01, 0.99, 0.0, -0.99, -1.01].map(|times| estimate(times * half).is_significant());
        assert_eq!(certain, [true, false, false, false, true]);
    }

    #[test]
    fn the_units_needed_are_just_enough() {
        let half = half_width(500.0, 2.0, ALPHA);
        assert_eq!(estimate(1.01 * half).units_needed(), Some(0), "it is certain already");
        for fewer in [0.9 * half, -0.5 * half, 0.05 * half] {
            let needed = estimate(fewer).units_needed().expect("is told") as f64;
            let width_with = |more: f64| half_width(500.0 + more, 2.0, ALPHA);
            assert!(width_with(needed) < fewer.abs(), "{needed} are enough for {fewer}");
            assert!(width_with(needed - 2.0) >= fewer.abs(), "{needed} are not too many for {fewer}");
        }
        assert_eq!(estimate(1e-6).units_needed(), None, "more than a hundred million");
        assert_eq!(estimate(0.0).units_needed(), None);
    }
}
