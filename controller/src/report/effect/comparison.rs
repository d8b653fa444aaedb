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
