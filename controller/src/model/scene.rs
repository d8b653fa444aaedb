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

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const MONDAY: i32 = 20_514;

    /// Rests on weekends; half of its people come on a Monday, and none on a Sunday.
    fn population() -> Population {
        Population {
            rest: [false, false, false, false, false, true, true],
            day_share: [0.5, 0.4, 0.4, 0.4, 0.4, 0.1, 0.0],
            working: (0..96).map(|slot| slot as f32 / 1_000.0).collect(),
            resting: vec![0.005; 96],
        }
    }

    fn scene(day: i32, slot: i32) -> Scene {
        Scene::new(Moment { quarter: day * 96 + slot }, &population())
    }

    fn assert_near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn days_are_alike_that_are_both_of_work_or_both_of_rest() {
        let alike = |day: i32| (0..9u16).filter(|back| scene(day, 0).alike(*back)).collect::<Vec<_>>();
        assert_eq!(
            alike(MONDAY),
            [0, 3, 4, 5, 6, 7],
            "not Sunday and Saturday, one and two days before, or eight"
        );
        assert_eq!(alike(MONDAY + 5), [0, 6, 7], "a Saturday: the Sunday six days before");
        // The same as bits, from yesterday on.
        let days = scene(MONDAY + 5, 0).alike_days;
        let expected =
            (0..128u32).filter(|bit| matches!((bit + 1) % 7, 0 | 6)).fold(0u128, |days, bit| days | 1 << bit);
        assert_eq!(days, expected);
    }

    #[test]
    fn yesterday_and_tomorrow_are_of_rest_only_if_today_is_not() {
        let calendar = |day: i32| scene(day, 0).calendar.map(|flag| flag > 0.5);
        assert_eq!(calendar(MONDAY), [false, true, false]);
        assert_eq!(calendar(MONDAY + 1), [false, false, false]);
        assert_eq!(calendar(MONDAY + 4), [false, false, true]);
        assert_eq!(calendar(MONDAY + 5), [true, false, false]);
        assert_eq!(calendar(MONDAY + 6), [true, false, false]);
    }

    #[test]
    fn the_clock_turns_once_and_twice_a_day() {
        // At three in the morning an eighth of a turn is done.
        let half = 0.5f32.sqrt();
        for (value, expected) in scene(MONDAY, 12).clock.iter().zip([half, half, 1.0, 0.0]) {
            assert_near(*value, expected);
        }
        for (value, expected) in scene(MONDAY, 72).clock.iter().zip([-1.0, 0.0, 0.0, -1.0]) {
            assert_near(*value, expected);
        }
    }

    #[test]
    fn the_population_is_seen_by_its_rate_now_over_its_mean() {
        // Five days of 0.0475 on average, and two of 0.005.
        let mean = (5.0 * 0.0475 + 2.0 * 0.005) / 7.0;
        let noon = scene(MONDAY, 48);
        assert_near(noon.population_rate(), 0.048);
        assert_near(noon.population_shape, (0.048 + 0.01) / (mean + 0.01));
        assert_near(noon.day_share, 0.5);
        let sunday = scene(MONDAY + 6, 48);
        assert_near(sunday.population_rate(), 0.01);
        assert_near(sunday.population_shape, (0.005 + 0.01) / (mean + 0.01));
        assert_near(sunday.day_share, 0.02);
    }

    #[test]
    fn the_next_scene_is_a_quarter_hour_later_wherever_it_is_moved_to() {
        let mut evening = scene(MONDAY + 4, 95);
        assert_eq!(evening.next().moment().quarter, (MONDAY + 5) * 96);
        assert!(evening.next().calendar[0] > 0.5, "a Saturday");
        assert_eq!(evening.next().next().moment(), evening.next().moment(), "it has none itself");
        evening.move_to(Moment { quarter: (MONDAY + 11) * 96 + 95 });
        assert_eq!(evening.moment().quarter, (MONDAY + 11) * 96 + 95);
        assert_eq!(evening.next().moment().quarter, (MONDAY + 12) * 96);
    }
}
