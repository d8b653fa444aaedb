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
