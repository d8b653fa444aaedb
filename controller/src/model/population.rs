//! What is true of everybody in a population: how likely an arrival is by quarter hour, and on which days of the week.

use serde::{Deserialize, Serialize};

use super::{
    features::WINDOW_QUARTERS,
    moment::Moment,
    stays::{LocalQuarter, QUARTERS_PER_DAY},
};

const SLOTS: usize = QUARTERS_PER_DAY as usize;

/// Shared knowledge that new and sparse instances borrow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// By day of the week, Monday first: whether people rest then. Learned, not assumed.
    pub rest: [bool; 7],
    /// Share of the instance-days with use, by day of the week.
    pub day_share: [f32; 7],
    /// Probability that a sleeping instance's user comes within the window, by quarter hour of a working day.
    pub working: Vec<f32>,
    /// The same on a day of rest.
    pub resting: Vec<f32>,
}

/// Counts a [`Population`] is made of.
#[derive(Debug, Clone)]
pub struct Census {
    asleep: [[f64; SLOTS]; 7],
    came: [[f64; SLOTS]; 7],
    days: [f64; 7],
    active: [f64; 7],
}

impl Default for Census {
    fn default() -> Self {
        Self { asleep: [[0.0; SLOTS]; 7], came: [[0.0; SLOTS]; 7], days: [0.0; 7], active: [0.0; 7] }
    }
}

/// A day of the week on which less than this share of the busiest day's people come is one of rest.
const REST_SHARE: f64 = 0.6;

/// Instance-days of another population that the counts are mixed with.
const PRIOR_DAYS: f64 = 200.0;

impl Census {
    /// A sleeping instance at `moment`, and whether its user came within the window.
    pub fn count(&mut self, moment: Moment, came: bool) {
        let (dow, slot) = (moment.day_of_week(), moment.slot());
        self.asleep[dow][slot] += 1.0;
        self.came[dow][slot] += f64::from(u8::from(came));
    }

    /// An arrival: at each quarter hour of the window before it the user came, if the instance slept then.
    pub fn count_arrival(&mut self, start: LocalQuarter) {
        for before in 0..WINDOW_QUARTERS {
            let moment = Moment { quarter: start - before };
            self.came[moment.day_of_week()][moment.slot()] += 1.0;
        }
    }

    /// A complete day of an instance, of which every quarter hour counts as one asleep: most of them are.
    pub fn count_day_asleep(&mut self, day_of_week: usize) {
        for slot in &mut self.asleep[day_of_week % 7] {
            *slot += 1.0;
        }
    }

    /// A complete day of an instance.
    pub fn count_day(&mut self, day_of_week: usize, active: bool) {
        self.days[day_of_week % 7] += 1.0;
        self.active[day_of_week % 7] += f64::from(u8::from(active));
    }

    /// The population counted, shrunk toward `prior` where little was counted.
    pub fn population(&self, prior: &Population) -> Population {
        let mut day_share = prior.day_share;
        for (dow, share) in day_share.iter_mut().enumerate() {
            let prior_days = f64::from(*share) * PRIOR_DAYS / 7.0;
            *share = ((self.active[dow] + prior_days) / (self.days[dow] + PRIOR_DAYS / 7.0)) as f32;
        }
        let busiest = day_share.iter().copied().fold(0.0, f32::max);
        let rest = day_share.map(|share| f64::from(share) < REST_SHARE * f64::from(busiest));
        let rates = |resting: bool, prior: &[f32]| {
            let rate = |slot: usize| {
                let dows = (0..7).filter(|dow| rest[*dow] == resting);
                let (asleep, came) = dows.fold((0.0, 0.0), |(asleep, came), dow| {
                    (asleep + self.asleep[dow][slot], came + self.came[dow][slot])
                });
                let prior = f64::from(prior.get(slot).copied().unwrap_or(0.05));
                ((came + prior * PRIOR_DAYS) / (asleep + PRIOR_DAYS)) as f32
            };
            (0..SLOTS).map(rate).collect()
        };
        Population {
            rest,
            day_share,
            working: rates(false, &prior.working),
            resting: rates(true, &prior.resting),
        }
    }
}

impl Default for Population {
    /// Nobody is known: every day and every quarter hour alike.
    fn default() -> Self {
        Self { rest: [false; 7], day_share: [0.3; 7], working: vec![0.05; SLOTS], resting: vec![0.05; SLOTS] }
    }
}

impl Population {
    /// Probability of an arrival within the window, over the quarter hours of a week.
    pub fn mean_rate(&self) -> f32 {
        let resting_days = self.rest.iter().filter(|rest| **rest).count() as f32;
        let mean = |rates: &[f32]| rates.iter().sum::<f32>() / rates.len().max(1) as f32;
        (mean(&self.resting) * resting_days + mean(&self.working) * (7.0 - resting_days)) / 7.0
    }

    /// Probability of an arrival within the window at `moment`.
    pub fn rate(&self, moment: Moment) -> f32 {
        let rates = if self.rest[moment.day_of_week()] { &self.resting } else { &self.working };
        rates.get(moment.slot()).copied().unwrap_or(0.05)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Friday.
    const FRIDAY: i32 = 1;

    fn at(day: i32, slot: i32) -> Moment {
        Moment { quarter: day * QUARTERS_PER_DAY + slot }
    }

    fn assert_near(value: f32, expected: f64) {
        assert!((f64::from(value) - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn what_was_counted_is_mixed_with_two_hundred_days_of_before() {
        let mut census = Census::default();
        for (slot, came) in [(32, true), (32, true), (32, false), (40, false)] {
            census.count(at(FRIDAY, slot), came);
        }
        // On another day of the week, and in the week after.
        census.count(at(FRIDAY + 2, 32), true);
        census.count(at(FRIDAY + 7, 32), true);
        let counted = census.population(&Population::default());
        assert_eq!(counted.rest, [false; 7]);
        assert_near(counted.working[32], (4.0 + 0.05 * 200.0) / 205.0);
        assert_near(counted.working[40], (0.05 * 200.0) / 201.0);
        assert_near(counted.working[41], 0.05);
        assert_near(counted.resting[32], 0.05);
    }

    #[test]
    fn an_arrival_was_one_within_the_window_of_twelve_quarter_hours_before_it() {
        let mut census = Census::default();
        // At half past one on a Saturday: the window reaches into Friday.
        census.count_arrival(at(FRIDAY + 1, 6).quarter);
        census.count_day_asleep(4);
        let came: Vec<_> = (0..7)
            .flat_map(|dow| (0..SLOTS).map(move |slot| (dow, slot)))
            .filter(|(dow, slot)| census.came[*dow][*slot] > 0.5)
            .collect();
        let expected = (0..=6).map(|slot| (5, slot)).chain((91..96).map(|slot| (4, slot)));
        let mut expected: Vec<_> = expected.collect();
        expected.sort_unstable();
        assert_eq!(came, expected);
        let asleep: Vec<_> =
            census.asleep.iter().map(|slots| slots.iter().sum::<f64>().round() as u32).collect();
        assert_eq!(asleep, [0, 0, 0, 0, 96, 0, 0]);
    }

    #[test]
    fn a_day_of_the_week_with_far_fewer_people_is_one_of_rest() {
        let mut census = Census::default();
        for instance in 0..100 {
            for day_of_week in 0..7 {
                // The eighth day of a week is the first of the next.
                census.count_day(day_of_week + 7, instance < [80, 80, 80, 80, 80, 50, 20][day_of_week]);
            }
        }
        for (day, came) in [(FRIDAY, true), (FRIDAY + 2, true), (FRIDAY + 2, true)] {
            census.count(at(day, 50), came);
        }
        let prior = Population { resting: vec![0.01; SLOTS], ..Population::default() };
        let counted = census.population(&prior);
        let prior_days = 200.0 / 7.0;
        for (share, active) in counted.day_share.iter().zip([80.0, 80.0, 80.0, 80.0, 80.0, 50.0, 20.0]) {
            assert_near(*share, (active + 0.3 * prior_days) / (100.0 + prior_days));
        }
        // A Saturday has 0.46 of the people, more than 0.6 of the 0.69 of the busiest; a Sunday has 0.22.
        assert_eq!(counted.rest, [false, false, false, false, false, false, true]);
        assert_near(counted.working[50], 11.0 / 201.0);
        assert_near(counted.resting[50], 4.0 / 202.0);
    }

    #[test]
    fn rates_are_those_of_the_kind_of_day_and_their_mean_is_that_of_a_week() {
        let mut population = Population {
            rest: [false, false, false, false, false, true, true],
            working: (0..96).map(|slot| slot as f32 / 100.0).collect(),
            resting: vec![0.02; SLOTS],
            ..Population::default()
        };
        assert_near(population.rate(at(FRIDAY, 40)), 0.4);
        assert_near(population.rate(at(FRIDAY + 1, 40)), 0.02);
        // Five days of 0.475 and two of 0.02.
        assert_near(population.mean_rate(), (5.0 * 0.475 + 2.0 * 0.02) / 7.0);
        population.working.truncate(30);
        assert_near(population.rate(at(FRIDAY, 40)), 0.05);
    }
}
