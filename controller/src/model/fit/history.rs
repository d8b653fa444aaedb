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
}
