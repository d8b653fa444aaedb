//! A first look at a profile: whether a whole score could reach a threshold at all.
//!
//! A score reads a profile from one end to the other and weighs every stay; most instances of a fleet are at most times
//! nowhere near a wake. The first look only counts, in a tenth of the time, and lets pass whatever might be woken.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]

use serde::{Deserialize, Serialize};

use super::{
    features::WINDOW_QUARTERS,
    logarithm::ln,
    profile::{Profile, day_of_quarter},
    scene::Scene,
    stays::QUARTERS_PER_DAY,
    wide::{Work, widely},
};

/// Numbers of a first look.
pub const COUNT: usize = 15;

/// Arrivals near this time of day in the last two weeks, in the last nine, and at all; arrivals in the window after this
/// time of day in the last week, in the last four, and in the last twelve; days used of the last 7 and 28, and of the
/// same days of the last eight weeks; how long it has slept, that squared; whether it was used today and yesterday; when
/// the population comes; whether this is a day of rest.
pub type Glance = [f32; COUNT];

/// Tells by a straight line through the numbers of a first look who may reach a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    pub weights: Glance,
    /// The lowest threshold first; no line is lower than the one before.
    pub cuts: Vec<Cut>,
}

/// How high the line must be for a threshold to be reached, but for the rare ones that the fit left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    pub threshold: f32,
    pub line: f32,
}

impl Screen {
    /// What the score is at most, but for the rare ones that the fit left out: between two cuts by a straight line. Whoever
    /// is below the lowest cut is told to be at its threshold; whoever is above the highest may have any score.
    pub fn bound(&self, glance: &Glance) -> f32 {
        let line = self.line(glance);
        let after = self.cuts.partition_point(|cut| cut.line <= line);
        match (after.checked_sub(1).and_then(|i| self.cuts.get(i)), self.cuts.get(after)) {
            (_, None) => f32::INFINITY,
            (None, Some(lowest)) => lowest.threshold,
            (Some(low), Some(high)) => {
                let share = (line - low.line) / (high.line - low.line);
                low.threshold + (high.threshold - low.threshold) * share
            }
        }
    }

    pub fn line(&self, glance: &Glance) -> f32 {
        self.weights.iter().zip(glance).map(|(weight, number)| weight * number).sum()
    }
}

const DAY: u16 = QUARTERS_PER_DAY as u16;
/// From two hours before now's time of day on ...
const BEFORE: u16 = 8;
/// ... for so many quarter hours it is near.
const NEAR: u16 = 24;
/// The window after it.
const AHEAD: u16 = WINDOW_QUARTERS as u16;
/// Of the days before, those of the last eight weeks that are the same day of the week.
const SAME_DAYS: u128 = {
    let (mut days, mut week) = (0, 1);
    while week <= 8 {
        days |= 1 << (7 * week - 1);
        week += 1;
    }
    days
};
const REACH: i32 = 65_000;

/// The first look at a profile; the instance must be asleep. Stays after the moment are not looked at.
pub fn glance(profile: &Profile, scene: &Scene) -> Glance {
    widely(Count { profile, scene })
}

struct Count<'a> {
    profile: &'a Profile,
    scene: &'a Scene,
}

impl Work for Count<'_> {
    type Output = Glance;

    #[inline(always)]
    fn run(self) -> Glance {
        count(self.profile, self.scene)
    }
}

#[inline(always)]
fn count(profile: &Profile, scene: &Scene) -> Glance {
    let moment = scene.moment();
    let stays = profile.stays();
    let to_now = moment.quarter.saturating_sub(stays.base());
    // 16 bits hold what has to be told apart; what lies farther back counts as farthest.
    let (to_now, shift) =
        (to_now.clamp(0, REACH) as u16, to_now.saturating_sub(REACH).clamp(0, REACH) as u16);
    let known = stays.known_at(moment.quarter);
    let (mut recent, mut lately, mut all) = (0u16, 0u16, 0u16);
    let (mut week, mut month, mut season) = (0u16, 0u16, 0u16);
    for start in &stays.starts()[..known] {
        let of_now = to_now - start.saturating_sub(shift);
        // Where in its day, counted back from the end of what is near.
        let near = u16::from((of_now + NEAR - BEFORE) % DAY < NEAR);
        recent += near & u16::from(of_now < 14 * DAY);
        lately += near & u16::from(of_now < 63 * DAY);
        all += near;
        let ahead = u16::from((of_now + AHEAD - 1) % DAY < AHEAD);
        week += ahead & u16::from(of_now < 7 * DAY);
        month += ahead & u16::from(of_now < 28 * DAY);
        season += ahead & u16::from(of_now < 84 * DAY);
    }
    let idle_h = match known.checked_sub(1).and_then(|last| stays.get(last)) {
        Some(last) => (moment.quarter - last.end).max(0) as f32 / 4.0,
        None => 2_000.0,
    };
    let idle = ln(1.0 + idle_h.min(2_000.0));
    let days = profile.days_before(moment.day());
    let used = |days_back: u32| ((days & ((1 << days_back) - 1)).count_ones()) as f32;
    let last_day = known.checked_sub(1).and_then(|last| stays.get(last)).map(|last| day_of_quarter(last.end));
    let flag = |yes: bool| f32::from(u8::from(yes));
    let count = |count: u16| ln(1.0 + f32::from(count));
    [
        count(recent),
        count(lately),
        count(all),
        count(week),
        count(month),
        count(season),
        ln(1.0 + used(7)),
        ln(1.0 + used(28)),
        ln(1.0 + (days & SAME_DAYS).count_ones() as f32),
        idle,
        idle * idle,
        flag(last_day.is_some_and(|day| day >= moment.day())),
        flag(days & 1 == 1),
        ln(scene.population_shape),
        scene.calendar[0],
    ]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{features::tests::known, moment::Moment, population::Population};

    /// The weights of a screen that was fitted are stored, and stand for these.
    #[test]
    fn the_first_look_at_known_people_stays_what_it_was() {
        let mut table = String::new();
        for (profile, scene) in known() {
            for number in glance(&profile, &scene) {
                write!(table, "{number:>8.4}").expect("text can be written to");
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn the_bound_follows_the_line_from_cut_to_cut() {
        let mut weights = [0.0; COUNT];
        weights[2] = 2.0;
        let cut = |threshold, line| Cut { threshold, line };
        let screen = Screen { weights, cuts: vec![cut(-1.0, 0.0), cut(1.0, 4.0)] };
        let bound = |number: f32| {
            let mut glance = [0.5; COUNT];
            glance[2] = number;
            screen.bound(&glance)
        };
        assert!((bound(1.0) - 0.0).abs() < 1e-6, "half way");
        assert!((bound(0.5) + 0.5).abs() < 1e-6);
        assert!((bound(-9.0) + 1.0).abs() < 1e-6, "below the lowest there is no telling");
        assert!(bound(2.0).is_infinite() && bound(9.0).is_infinite(), "nor above the highest");
        assert!(
            Screen { weights, cuts: Vec::new() }.bound(&[-9.0; COUNT]).is_infinite(),
            "no cuts, no telling"
        );
    }

    proptest! {
        #[test]
        fn a_first_look_counts_what_there_is(
            first in 1_900_000..1_900_700i32,
            gaps in proptest::collection::vec(8..300i32, 1..100),
            since in 8..2_000i32,
        ) {
            let mut profile = Profile::default();
            let (mut at, mut starts) = (first, vec![first]);
            for gap in gaps {
                at += gap;
                starts.push(at);
            }
            for start in &starts {
                profile.see_second(i64::from(*start) * 900, 0, 7_200);
            }
            let now = at + since;
            let population = Population { rest: [false, true, false, false, false, true, true], ..Population::default() };
            let scene = Scene::new(Moment { quarter: now }, &population);
            let found = glance(&profile, &scene);
            // How far the time of day it came at is ahead of now's.
            let came = |days: i32, so: &dyn Fn(i32) -> bool| {
                let counts = |start: &&i32| now - **start < days * 96 && so((**start - now).rem_euclid(96));
                starts.iter().filter(counts).count()
            };
            let near = |ahead: i32| ahead <= 16 || ahead >= 89;
            let in_window = |ahead: i32| ahead < 12;
            let today = now.div_euclid(96);
            let used = |so: &dyn Fn(i32) -> bool| {
                let days: std::collections::BTreeSet<_> = starts.iter().map(|start| today - start.div_euclid(96)).collect();
                days.into_iter().filter(|back| *back > 0 && so(*back)).count()
            };
            let counts = [
                came(14, &near), came(63, &near), came(10_000, &near),
                came(7, &in_window), came(28, &in_window), came(84, &in_window),
                used(&|back| back <= 7), used(&|back| back <= 28), used(&|back| back % 7 == 0 && back <= 56),
            ];
            for (place, (found, count)) in found.iter().zip(counts).enumerate() {
                prop_assert!((found - (1.0 + count as f32).ln()).abs() < 1e-4, "{}: {} of {}", place, found, count);
            }
            let idle = (1.0 + (since as f32 / 4.0)).ln();
            prop_assert!((found[9] - idle).abs() < 1e-4 && (found[10] - idle * idle).abs() < 1e-3);
            let flags = [at.div_euclid(96) == today, used(&|back| back == 1) == 1].map(|yes| f32::from(u8::from(yes)));
            prop_assert_eq!(found[11..13].to_vec(), flags.to_vec());
            prop_assert!((found[13] - scene.population_shape.ln()).abs() < 1e-4);
            prop_assert_eq!(found[14].to_bits(), scene.calendar[0].to_bits());
        }
    }

    #[test]
    fn of_nobody_nothing_is_counted_and_the_sleep_is_long() {
        let scene = Scene::new(Moment { quarter: 1_900_000 }, &Population::default());
        let found = glance(&Profile::default(), &scene);
        assert!(found[..9].iter().all(|number| number.abs() < 1e-4));
        assert!((found[9] - 2_001f32.ln()).abs() < 1e-4 && found[11].abs() < 1e-6 && found[12].abs() < 1e-6);
    }
}
