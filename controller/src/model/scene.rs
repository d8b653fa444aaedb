//! What of a forecast depends on the moment and the population only: computed once for all instances that share them.

use super::{moment::Moment, population::Population, stays::QUARTERS_PER_DAY};

/// A moment as the population sees it.
#[derive(Debug, Clone)]
pub struct Scene {
    moment: Moment,
    /// Whether the day so many days (modulo 7) back is of the same kind, work or rest, as today.
    alike: [bool; 7],
    /// The same for each of the last days.
    pub(super) alike_days: u128,
    pub(super) population: f32,
    /// The population's rate now over its mean: when people come, whatever their number.
    pub(super) population_shape: f32,
    pub(super) day_share: f32,
    /// Today is of rest; yesterday was, today is not; tomorrow is, today is not.
    pub(super) calendar: [f32; 3],
    pub(super) clock: [f32; 4],
    /// The quarter hour after; it has none itself.
    next: Option<Box<Scene>>,
}

impl Scene {
    pub fn new(moment: Moment, population: &Population) -> Self {
        let next = Self::alone(later(moment), population);
        Self { next: Some(Box::new(next)), ..Self::alone(moment, population) }
    }

    fn alone(moment: Moment, population: &Population) -> Self {
        let dow = moment.day_of_week();
        let rest = |days_back: usize| population.rest[(dow + 14 - days_back % 7) % 7];
        let alike: [bool; 7] = std::array::from_fn(|back| rest(back) == rest(0));
        let alike_days =
            (0..128).filter(|back| alike[(back + 1) % 7]).fold(0u128, |mask, back| mask | 1 << back);
        let turn = moment.slot() as f32 / QUARTERS_PER_DAY as f32 * std::f32::consts::TAU;
        let flag = |yes: bool| f32::from(u8::from(yes));
        Self {
            moment,
            alike,
            alike_days,
            population: population.rate(moment).max(0.01),
            population_shape: ((population.rate(moment) + 0.01) / (population.mean_rate() + 0.01)).max(0.01),
            day_share: population.day_share[dow].max(0.02),
            calendar: [flag(rest(0)), flag(rest(1) && !rest(0)), flag(rest(6) && !rest(0))],
            clock: [turn.sin(), turn.cos(), (2.0 * turn).sin(), (2.0 * turn).cos()],
            next: None,
        }
    }

    /// To another day at the same time of the same day of the week, where all else is the same.
    pub fn move_to(&mut self, moment: Moment) {
        self.moment = moment;
        if let Some(next) = &mut self.next {
            next.moment = later(moment);
        }
    }

    /// The scene a quarter hour later, the population being the same.
    pub fn next(&self) -> &Self {
        self.next.as_deref().unwrap_or(self)
    }

    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// Probability of an arrival within the window, of anybody at this time.
    pub fn population_rate(&self) -> f32 {
        self.population
    }

    pub(super) fn alike(&self, days_back: u16) -> bool {
        self.alike[usize::from(days_back % 7)]
    }
}

fn later(moment: Moment) -> Moment {
    Moment { quarter: moment.quarter.saturating_add(1) }
}
