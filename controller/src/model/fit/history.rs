//! What a model is fitted on: the sightings of one instance, and every quarter hour it slept through.

use crate::model::{
    decay::Decay,
    features::{Features, Scene, features},
    moment::{Moment, QUARTER_S},
    population::{Census, Population},
    profile::Profile,
};

const DAY_S: i64 = 86_400;

/// The recorded past of one instance.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Seconds since 1970 (UTC) and what the local clock was ahead of it then; ascending.
    pub sightings: Vec<(i64, i32)>,
    /// UTC days on which it takes part; ascending.
    pub days: Vec<i32>,
}

/// Times of the platform.
#[derive(Debug, Clone, Copy)]
pub struct Clockwork {
    /// Idle time after which an instance hibernates.
    pub idle_gap_s: i64,
    /// From the call until it serves.
    pub lead_s: i64,
    /// How long a wake waits for its user.
    pub window_s: i64,
}

/// A quarter hour at which a sleeping instance may be woken.
#[derive(Debug)]
pub struct Point {
    pub at_s: i64,
    pub moment: Moment,
    /// The first arrival after it; `i64::MAX` when none is known.
    pub next_s: i64,
}

impl Point {
    pub fn wait_s(&self) -> i64 {
        self.next_s.saturating_sub(self.at_s)
    }
}

impl History {
    /// Calls `each` for every quarter hour of the days that found it asleep, with the profile as it was then.
    pub fn walk(&self, clockwork: Clockwork, mut each: impl FnMut(&Point, &Profile)) {
        let mut profile = Profile::default();
        let mut seen = 0;
        let mut offset_s = 0;
        let mut next_start = 0;
        for day in &self.days {
            for quarter in 0..96 {
                let at_s = i64::from(*day) * DAY_S + quarter * QUARTER_S;
                while let Some((sighted_s, its_offset_s)) =
                    self.sightings.get(seen).filter(|(s, _)| *s <= at_s)
                {
                    profile.see_second(*sighted_s, *its_offset_s, clockwork.idle_gap_s);
                    offset_s = *its_offset_s;
                    seen += 1;
                }
                let last_s = seen.checked_sub(1).map_or(i64::MIN, |last| self.sightings[last].0);
                if at_s < last_s.saturating_add(clockwork.idle_gap_s) {
                    continue;
                }
                // Asleep: the next sighting begins a stay.
                next_start = next_start.max(seen);
                let next_s = self.sightings.get(next_start).map_or(i64::MAX, |(s, _)| *s);
                each(&Point { at_s, moment: Moment::of_second(at_s, offset_s), next_s }, &profile);
            }
        }
    }

    /// As [`History::walk`], with the features.
    pub fn walk_features(
        &self,
        clockwork: Clockwork,
        population: &Population,
        decay: &Decay,
        mut each: impl FnMut(&Point, &Features),
    ) {
        let each = |point: &Point, profile: &Profile, scene: &Scene| {
            each(point, &features(profile, scene, decay));
        };
        self.walk_scenes(clockwork, population, |_| true, each);
    }

    /// As [`History::walk`] for the chosen points, with what features are computed from.
    pub(super) fn walk_scenes(
        &self,
        clockwork: Clockwork,
        population: &Population,
        chosen: impl Fn(&Point) -> bool,
        mut each: impl FnMut(&Point, &Profile, &Scene),
    ) {
        let mut scenes: Vec<Option<Scene>> = vec![None; 7 * 96];
        self.walk(clockwork, |point, profile| {
            if !chosen(point) {
                return;
            }
            let slot = &mut scenes[point.moment.day_of_week() * 96 + point.moment.slot()];
            let scene = match slot {
                Some(scene) => {
                    scene.move_to(point.moment);
                    scene
                }
                None => slot.insert(Scene::new(point.moment, population)),
            };
            each(point, profile, scene);
        });
    }

    /// Stays that began on its days.
    pub fn arrivals(&self, clockwork: Clockwork) -> u64 {
        let mut last_s = i64::MIN;
        let mut arrivals = 0;
        for (at_s, _) in &self.sightings {
            let begins = at_s.saturating_sub(last_s) >= clockwork.idle_gap_s;
            let day = at_s.div_euclid(DAY_S) as i32;
            arrivals += u64::from(begins && self.days.binary_search(&day).is_ok());
            last_s = *at_s;
        }
        arrivals
    }

    /// Counts what the population does.
    pub fn census(&self, clockwork: Clockwork, census: &mut Census) {
        self.walk(clockwork, |point, _| census.count(point.moment, point.wait_s() <= clockwork.window_s));
        let mut active: Vec<i32> =
            self.sightings.iter().map(|(at_s, offset_s)| local_day(*at_s, *offset_s)).collect();
        active.dedup();
        for day in &self.days {
            let day_of_week = (day + 3).rem_euclid(7) as usize;
            census.count_day(day_of_week, active.binary_search(day).is_ok());
        }
    }
}

fn local_day(at_s: i64, offset_s: i32) -> i32 {
    (at_s + i64::from(offset_s)).div_euclid(DAY_S) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_cut_short_has_the_same_numbers_until_then() {
        let clockwork = Clockwork { idle_gap_s: 7_200, lead_s: 300, window_s: 10_800 };
        let mut sightings = Vec::new();
        for day in 0..120i64 {
            // Comes at a time that wanders, not on every day, sometimes twice.
            let visits =
                [(day % 3 != 0, 28_800 + day * 37 % 7_000), (day % 5 == 1, 64_800), (day % 11 == 2, 300)];
            let of_day =
                visits.into_iter().filter(|(comes, _)| *comes).map(|(_, at_s)| (day * DAY_S + at_s, 3_600));
            sightings.extend(of_day);
        }
        sightings.sort_unstable();
        let numbers = |history: &History| {
            let mut all = Vec::new();
            history.walk_features(clockwork, &Population::default(), &Decay::default(), |point, features| {
                all.push((point.at_s, *features));
            });
            all
        };
        let whole = History { sightings, days: (30..120).collect() };
        let cut_s = 71 * DAY_S + 29_000;
        let cut = History {
            sightings: whole.sightings.iter().copied().filter(|(at_s, _)| *at_s < cut_s).collect(),
            days: whole.days.clone(),
        };
        let until =
            |all: Vec<(i64, Features)>| all.into_iter().filter(|(at_s, _)| *at_s < cut_s).collect::<Vec<_>>();
        let (whole, cut) = (until(numbers(&whole)), until(numbers(&cut)));
        assert!(whole.len() > 3_000);
        assert!(whole == cut);
    }

    const CLOCKWORK: Clockwork = Clockwork { idle_gap_s: 7_200, lead_s: 300, window_s: 10_800 };
    const HOUR_S: i64 = 3_600;

    /// Comes on Friday at nine until ten past, and on Saturday at ten; lives an hour ahead of UTC.
    fn twice() -> History {
        let sightings = [DAY_S + 9 * HOUR_S, DAY_S + 9 * HOUR_S + 600, 2 * DAY_S + 10 * HOUR_S];
        History { sightings: sightings.map(|at_s| (at_s, 3_600)).to_vec(), days: vec![1, 2, 3] }
    }

    #[test]
    fn every_quarter_hour_that_finds_it_asleep_is_gone_through() {
        let mut points = Vec::new();
        twice().walk(CLOCKWORK, |point, profile| {
            points.push((point.at_s, point.moment.quarter, point.next_s, profile.stays().len()));
        });
        // Until nine nothing is known of its clock. It sleeps two hours after it was last seen.
        let at = |day: i64, quarter: i64| day * DAY_S + quarter * 900;
        let quarters = |of: std::ops::Range<i64>, day: i64, ahead: i32, next_s: i64, stays: usize| {
            of.map(move |quarter| (at(day, quarter), (day * 96 + quarter) as i32 + ahead, next_s, stays))
        };
        let (first_s, second_s) = (at(1, 36), at(2, 40));
        let expected: Vec<_> = quarters(0..36, 1, 0, first_s, 0)
            .chain(quarters(45..96, 1, 4, second_s, 1))
            .chain(quarters(0..40, 2, 4, second_s, 1))
            .chain(quarters(48..96, 2, 4, i64::MAX, 2))
            .chain(quarters(0..96, 3, 4, i64::MAX, 2))
            .collect();
        assert_eq!(points, expected);
    }

    #[test]
    fn what_is_waited_is_the_time_until_the_next_arrival() {
        let point = |next_s| Point { at_s: 900, moment: Moment::of_second(900, 0), next_s };
        assert_eq!((point(1_000).wait_s(), point(i64::MAX).wait_s()), (100, i64::MAX - 900));
    }

    #[test]
    fn stays_that_begin_on_its_days_are_its_arrivals() {
        let mut history = twice();
        assert_eq!(history.arrivals(CLOCKWORK), 2);
        history.days = vec![1, 3];
        assert_eq!(history.arrivals(CLOCKWORK), 1);
        history.sightings = [0, 7_199, 14_398, 21_598].map(|into_s| (DAY_S + into_s, 0)).to_vec();
        assert_eq!(history.arrivals(CLOCKWORK), 2, "the last one after two hours");
    }

    #[test]
    fn the_census_counts_who_slept_who_came_and_who_was_there() {
        let mut census = Census::default();
        twice().census(CLOCKWORK, &mut census);
        let counted = census.population(&Population::default());
        let near = |value: f32, expected: f64| (f64::from(value) - expected).abs() < 1e-6;
        let prior_days = 200.0 / 7.0;
        let share = |active: f64, days: f64| (active + 0.3 * prior_days) / (days + prior_days);
        for (day_of_week, expected) in
            [(3, 0.3), (4, share(1.0, 1.0)), (5, share(1.0, 1.0)), (6, share(0.0, 1.0))]
        {
            assert!(near(counted.day_share[day_of_week], expected), "{:?}", counted.day_share);
        }
        // At eight by its clock it slept on three days, and came within three hours on two of them; at six on one.
        assert!(near(counted.working[32], 12.0 / 203.0), "{}", counted.working[32]);
        assert!(near(counted.working[24], 11.0 / 203.0), "{}", counted.working[24]);
        assert!(near(counted.working[23], 10.0 / 203.0), "{}", counted.working[23]);
    }

    #[test]
    fn a_day_is_one_of_use_by_the_local_clock() {
        let mut census = Census::default();
        // At half past eleven on Friday evening in UTC, when it is Saturday there.
        let history = History { sightings: vec![(DAY_S + 84_600, 3_600)], days: vec![1, 2] };
        history.census(CLOCKWORK, &mut census);
        let share = census.population(&Population::default()).day_share;
        assert!(share[4] < 0.3 && share[5] > 0.3, "{share:?}");
    }

    #[test]
    fn the_numbers_of_a_walk_are_those_of_each_quarter_hour_by_itself() {
        let population = Population {
            rest: [false, false, false, false, false, true, true],
            day_share: [0.5, 0.55, 0.6, 0.55, 0.45, 0.1, 0.08],
            working: (0..96).map(|slot| slot as f32 / 400.0).collect(),
            resting: (0..96).map(|slot| slot as f32 / 900.0).collect(),
        };
        let days = (0..30i64).filter(|day| day % 4 > 0);
        let history = History {
            sightings: days.map(|day| (day * DAY_S + 30_000 + day * 500, 0)).collect(),
            days: (10..24).collect(),
        };
        let decay = Decay::default();
        let mut alone = Vec::new();
        history.walk(CLOCKWORK, |point, profile| {
            alone.push(features(profile, &Scene::new(point.moment, &population), &decay));
        });
        let mut walked = Vec::new();
        history.walk_features(CLOCKWORK, &population, &decay, |_, features| walked.push(*features));
        assert!(walked.len() > 1_000 && walked == alone);
    }
}
