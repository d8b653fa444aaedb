//! What the model looks at: numbers computed from a profile in one pass over its stays.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]

use super::{
    decay::{Decay, LANES, Lanes},
    logarithm::ln,
    profile::{Profile, day_of_quarter},
    sums::Sums,
    wide::{Work, widely},
};

pub use super::scene::Scene;

/// Quarter hours a woken instance stays up for its user: the window of a wake.
pub const WINDOW_QUARTERS: i32 = 12;

/// The groups features are left out by in an ablation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Arrivals at this time of day, in memories of days, weeks and months.
    Rates,
    /// The same on the same day of the week, and on working days or days of rest.
    Week,
    /// On which days it was used.
    Days,
    /// How today goes on, given how it began: days that began alike, gaps that lasted as long.
    Today,
    /// How long it has slept.
    Idle,
    /// The clock, and what the population does.
    Calendar,
}

macro_rules! features {
    ($($name:ident: $group:ident),* $(,)?) => {
        /// Names in the order of the numbers.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        /// The group of each.
        pub const GROUPS: &[Group] = &[$(Group::$group),*];
        #[expect(non_camel_case_types, reason = "they are the names in NAMES")]
        #[expect(dead_code, reason = "the lanes of a rate are reached from its first")]
        #[derive(Clone, Copy)]
        enum F { $($name),* }
    };
}

// Those up to `known_days` are logarithms, taken of all at once.
features! {
    ahead_5d: Rates, ahead_15d: Rates, ahead_45d: Rates, ahead_150d: Rates,
    present_5d: Rates, present_15d: Rates, present_45d: Rates, present_150d: Rates,
    present_hour_5d: Rates, present_hour_15d: Rates, present_hour_45d: Rates, present_hour_150d: Rates,
    around_5d: Rates, around_15d: Rates, around_45d: Rates, around_150d: Rates,
    before_15d: Rates, before_45d: Rates, before_150d: Rates,
    after_15d: Rates, after_45d: Rates, after_150d: Rates,
    alike_5d: Week, alike_15d: Week, alike_45d: Week, alike_150d: Week,
    alike_present_5d: Week, alike_present_15d: Week, alike_present_45d: Week, alike_present_150d: Week,
    weekly_45d: Week, weekly_150d: Week, weekly_present_45d: Week, weekly_present_150d: Week,
    arrivals_5d: Days, arrivals_15d: Days, arrivals_45d: Days, arrivals_150d: Days,
    days_3: Days, days_7: Days, days_14: Days, days_28: Days, days_56: Days, days_112: Days,
    days_same_8w: Days, days_same_16w: Days, days_alike_28: Days, days_alike_84: Days,
    silent_days: Days, streak_days: Days,
    after_yesterday: Days, after_two_days: Days, after_yesterday_and_week: Days, after_all_these: Days,
    began_15d: Today, began_45d: Today, began_150d: Today,
    return_15d: Today, return_45d: Today, return_150d: Today,
    gap_hazard: Today, gap_support: Today, arrivals_48h: Today, last_stay: Today,
    idle: Idle, concentration: Rates, population: Calendar, known_days: Calendar,
    used_1: Days, used_2: Days, used_3: Days, used_7: Days, used_14: Days, used_21: Days,
    ahead_used_1: Days, ahead_used_7: Days,
    arrivals_today: Today, none_today: Today, used_today: Today, used_today_idle: Today,
    idle_squared: Idle, idle_days: Idle,
    rest_day: Calendar, after_rest: Calendar, before_rest: Calendar, population_none_today: Calendar,
    sin_1: Calendar, cos_1: Calendar, sin_2: Calendar, cos_2: Calendar,
}

pub const COUNT: usize = NAMES.len();
const LOGARITHMS: usize = F::known_days as usize + 1;

/// One number per name.
pub type Features = [f32; COUNT];

/// Days back that are the same day of the week: 7, 14, 21, ...
const EVERY_7TH: u128 = {
    let (mut mask, mut day) = (0u128, 6);
    while day < 128 {
        mask |= 1 << day;
        day += 7;
    }
    mask
};

/// What logarithms are taken of: one number over another, both above 0.
struct Ratios {
    over: [f32; LOGARITHMS],
    under: [f32; LOGARITHMS],
}

impl Ratios {
    fn set(&mut self, feature: F, over: f32, under: f32) {
        self.over[feature as usize] = over;
        self.under[feature as usize] = under;
    }

    fn set_lanes(&mut self, first: F, over: Lanes, under: Lanes) {
        let at = first as usize;
        self.over[at..at + LANES].copy_from_slice(&over);
        self.under[at..at + LANES].copy_from_slice(&under);
    }
}

fn flag(yes: bool) -> f32 {
    f32::from(u8::from(yes))
}

/// A profile's numbers at the moment of `scene`; the instance must be asleep. Stays after the moment are not
/// looked at.
pub fn features(profile: &Profile, scene: &Scene, decay: &Decay) -> Features {
    widely(Gather { profile, scene, decay })
}

struct Gather<'a> {
    profile: &'a Profile,
    scene: &'a Scene,
    decay: &'a Decay,
}

impl Work for Gather<'_> {
    type Output = Features;

    #[inline(always)]
    fn run(self) -> Features {
        gather(self.profile, self.scene, self.decay)
    }
}

#[inline(always)]
fn gather(profile: &Profile, scene: &Scene, decay: &Decay) -> Features {
    let moment = scene.moment();
    let stays = profile.stays();
    let known = stays.known_at(moment.quarter);
    let last = known.checked_sub(1).and_then(|index| stays.get(index));
    let idle_quarters = last.map_or(4_000, |last| (moment.quarter - last.end).max(0));
    let sums = Sums::of(profile, scene, decay, known, idle_quarters);
    let days_known = profile.history_days(moment).max(1);
    let history = match stays.get(0) {
        Some(oldest) if stays.dropped() => days_known.min(moment.day() - day_of_quarter(oldest.start)).max(1),
        _ => days_known,
    };
    let norm = decay.sum(history);

    let mut out = [0.0; COUNT];
    let mut ratios = Ratios { over: [1.0; LOGARITHMS], under: [1.0; LOGARITHMS] };
    put_rates(&mut ratios, scene, &sums, norm);
    let alike_share = put_days(&mut out, &mut ratios, scene, profile, days_known);
    put_today(&mut ratios, scene, &sums, norm, alike_share);
    let idle_h = idle_quarters as f32 / 4.0;
    let last_h = last.map_or(0.9, |last| 0.1 + (last.end - last.start) as f32 / 4.0);
    ratios.set(F::last_stay, last_h, 1.0);
    ratios.set(F::arrivals_48h, 1.0 + sums.last_48h as f32, 1.0);
    ratios.set(F::idle, 1.0 + idle_h.min(2_000.0), 1.0);
    ratios.set(F::known_days, days_known.min(365) as f32, 1.0);
    ratios.set(F::population, scene.population_shape, 1.0);
    for (out, (over, under)) in out.iter_mut().zip(ratios.over.iter().zip(&ratios.under)) {
        *out = ln(over / under);
    }

    let mut set = |feature: F, value: f32| out[feature as usize] = value;
    let none_today = sums.today == 0;
    let used_today = last.is_some_and(|last| day_of_quarter(last.end) >= moment.day());
    let (log_idle, log_population) = (ln(1.0 + idle_h.min(2_000.0)), ln(scene.population_shape));
    set(F::arrivals_today, sums.today.min(4) as f32);
    set(F::none_today, flag(none_today));
    set(F::used_today, flag(used_today));
    set(F::used_today_idle, if used_today { log_idle } else { 0.0 });
    set(F::idle_squared, log_idle * log_idle);
    set(F::idle_days, idle_h.min(48.0) / 24.0);
    set(F::ahead_used_1, flag(sums.ahead_used_1));
    set(F::ahead_used_7, flag(sums.ahead_used_7));
    set(F::population_none_today, if none_today { log_population } else { 0.0 });
    out[F::rest_day as usize..][..3].copy_from_slice(&scene.calendar);
    out[F::sin_1 as usize..][..4].copy_from_slice(&scene.clock);
    out
}

/// Days mixed into a rate, in each memory, the shorter the more, on which the usual share of people came. The usual
/// share is a constant on purpose: what a model learned from one fleet then holds in another, whose own rates are a
/// feature beside (`population`).
const PRIOR: Lanes = [0.03, 0.012, 0.006, 0.003];

#[inline(always)]
fn put_rates(ratios: &mut Ratios, scene: &Scene, sums: &Sums, norm: Lanes) {
    let shape = scene.population_shape;
    let mut set = |first: F, lanes: std::ops::Range<usize>, sums: &Lanes, share: f32| {
        for (place, lane) in lanes.enumerate() {
            let at = first as usize + place;
            ratios.over[at] = sums[lane] + share * PRIOR[lane];
            ratios.under[at] = norm[lane] + PRIOR[lane];
        }
    };
    set(F::ahead_5d, 0..LANES, &sums.ahead, 0.06);
    set(F::present_5d, 0..LANES, &sums.present, 0.1);
    set(F::present_hour_5d, 0..LANES, &sums.present_hour, 0.1);
    set(F::around_5d, 0..LANES, &sums.around, 0.1 * shape);
    set(F::before_15d, 1..LANES, &sums.before, 0.06);
    set(F::after_15d, 1..LANES, &sums.after, 0.06);
    set(F::alike_5d, 0..LANES, &sums.alike, 0.05);
    set(F::alike_present_5d, 0..LANES, &sums.alike_present, 0.1);
    set(F::weekly_present_45d, 2..LANES, &sums.weekly_present, 0.1);
    // Of one day in seven there are few: more is borrowed.
    for (place, lane) in [2, 3].into_iter().enumerate() {
        const PRIOR_WEEKS: Lanes = [0.5, 0.25, 0.13, 0.08];
        let (at, of) = (F::weekly_45d as usize + place, 2.0 / 7.0);
        ratios.over[at] = sums.weekly[lane] + PRIOR_WEEKS[lane] * of * 0.06 * shape;
        ratios.under[at] = (norm[lane] + PRIOR_WEEKS[lane]) * of;
    }
    let arrivals = std::array::from_fn(|lane| sums.arrivals[lane] + 0.1 * scene.day_share);
    ratios.set_lanes(F::arrivals_5d, arrivals, norm.map(|norm| norm + 0.1));
    ratios.set(F::concentration, sums.ahead[2] + 0.01, sums.arrivals[2] + 0.03);
}

/// Puts what is known of the days; returns the share of the days alike that were used.
#[inline(always)]
fn put_days(
    out: &mut Features,
    ratios: &mut Ratios,
    scene: &Scene,
    profile: &Profile,
    days_known: i32,
) -> f32 {
    let used = profile.days_before(scene.moment().day());
    let first = |days: i32| 1u128.checked_shl(days.unsigned_abs()).map_or(u128::MAX, |bit| bit - 1);
    let known = first(days_known);
    let share = |mask: u128, prior_days: f32| {
        let days = (mask & known).count_ones() as f32;
        let active = (used & mask).count_ones() as f32;
        (active + prior_days * scene.day_share, days + prior_days)
    };
    let masks = [
        (F::days_3, first(3), 0.6),
        (F::days_7, first(7), 0.8),
        (F::days_14, first(14), 1.0),
        (F::days_28, first(28), 1.0),
        (F::days_56, first(56), 1.5),
        (F::days_112, first(112), 2.0),
        (F::days_same_8w, EVERY_7TH & first(56), 0.7),
        (F::days_same_16w, EVERY_7TH & first(112), 0.8),
        (F::days_alike_28, scene.alike_days & first(28), 1.0),
        (F::days_alike_84, scene.alike_days & first(84), 1.5),
    ];
    for (feature, mask, prior_days) in masks {
        let (over, under) = share(mask, prior_days);
        ratios.set(feature, over, under);
    }
    ratios.set(F::silent_days, 1.0 + used.trailing_zeros().min(60) as f32, 1.0);
    ratios.set(F::streak_days, 1.0 + used.trailing_ones().min(30) as f32, 1.0);
    put_days_after(ratios, used, known & first(112));
    for (feature, days_back) in
        [(F::used_1, 1), (F::used_2, 2), (F::used_3, 3), (F::used_7, 7), (F::used_14, 14), (F::used_21, 21)]
    {
        out[feature as usize] = flag(used >> (days_back - 1) & 1 == 1);
    }
    let (recent, of_recent) = share(scene.alike_days & first(28), 1.0);
    (recent / of_recent).clamp(0.01, 0.99)
}

/// How often a day was used that followed days like those before today. `known` are the days it is known of.
#[inline(always)]
fn put_days_after(ratios: &mut Ratios, used: u128, known: u128) {
    const PRIOR_DAYS: f32 = 3.0;
    // A day tells of what followed it only if the days before it are known as well.
    let known = known >> 7;
    let share_of_all = ((used & known).count_ones() as f32 + 0.6) / (known.count_ones() as f32 + 2.0);
    // The days whose day so many before was as the one so many before today.
    let as_then = |days: u32| if used >> (days - 1) & 1 == 1 { used >> days } else { !(used >> days) };
    let yesterday = as_then(1);
    let two_days = yesterday & as_then(2);
    let and_week = yesterday & as_then(7);
    for (feature, mask) in [
        (F::after_yesterday, yesterday),
        (F::after_two_days, two_days),
        (F::after_yesterday_and_week, and_week),
        (F::after_all_these, two_days & and_week & as_then(3)),
    ] {
        let (days, came) = (mask & known, mask & known & used);
        let over = came.count_ones() as f32 + PRIOR_DAYS * share_of_all;
        ratios.set(feature, over, days.count_ones() as f32 + PRIOR_DAYS);
    }
}

/// How today goes on. `alike_share` is the share of the days alike that were used.
#[inline(always)]
fn put_today(ratios: &mut Ratios, scene: &Scene, sums: &Sums, norm: Lanes, alike_share: f32) {
    const PRIOR_DAYS: Lanes = [0.3, 0.2, 0.12, 0.06];
    let usual = 0.06 * scene.population_shape;
    let none_today = sums.today == 0;
    for (began, again, lane) in [
        (F::began_15d, F::return_15d, 1),
        (F::began_45d, F::return_45d, 2),
        (F::began_150d, F::return_150d, 3),
    ] {
        let prior = PRIOR_DAYS[lane];
        let came = sums.like_today[lane] + prior * usual;
        let of = if none_today { (norm[lane] - sums.begun[lane]).max(0.0) } else { sums.begun[lane] };
        ratios.set(began, came, of + prior);
        // Nobody came yet: either today is a day of use that has not begun, or it is none.
        let of_used = (sums.used[lane] - sums.begun[lane]).max(0.0) + prior;
        let late = of_used / (sums.used[lane] + prior);
        let chance =
            if none_today { alike_share * late / (alike_share * late + 1.0 - alike_share) } else { 1.0 };
        ratios.set(again, came * chance, if none_today { of_used } else { of + prior });
    }
    ratios.set(F::gap_hazard, sums.gap_within + 0.3, sums.gap_longer + 2.0);
    ratios.set(F::gap_support, sums.gap_longer + 1.0, 1.0);
}

#[cfg(test)]
pub(in crate::model) mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{moment::Moment, population::Population};

    const GAP_S: i64 = 7_200;

    fn profile(sightings: impl IntoIterator<Item = i64>, offset_s: i32) -> Profile {
        let mut profile = Profile::default();
        for at_s in sightings {
            profile.see_second(at_s, offset_s, GAP_S);
        }
        profile
    }

    fn at(profile: &Profile, at_s: i64, offset_s: i32) -> Features {
        let mut population = Population::default();
        population.rest[6] = true;
        features(profile, &Scene::new(Moment::of_second(at_s, offset_s), &population), &Decay::default())
    }

    #[test]
    fn an_empty_profile_a_crowded_one_and_an_old_one_have_finite_numbers() {
        let day_s = 86_400;
        let crowd = (0..10_000).map(|i| 1_000 * day_s + i * 8);
        let years = (0..25 * 365).map(|day| day * day_s + 32_400);
        for profile in [profile([], 0), profile([0], 0), profile(crowd, 0), profile(years, 3_600)] {
            for at_s in
                [i64::MIN / 4, -day_s, 0, 43_200, 1_001 * day_s, 9_125 * day_s, 9_999 * day_s, i64::MAX / 4]
            {
                assert!(at(&profile, at_s, 0).iter().all(|number| number.is_finite()), "{at_s}: {profile:?}");
            }
        }
    }

    #[test]
    fn a_user_of_the_mornings_is_expected_in_the_morning() {
        let profile = profile((0..60).map(|day| day * 86_400 + 32_400), 0);
        let (morning, night) = (at(&profile, 60 * 86_400 + 30_600, 0), at(&profile, 60 * 86_400 + 61_200, 0));
        assert!(morning[F::ahead_45d as usize] > night[F::ahead_45d as usize] + 1.0);
        assert!((morning[F::days_28 as usize]).abs() < 0.1, "used on all days");
    }

    /// Somebody of working days with a break at noon, somebody of no habit far east, and somebody who comes so often that
    /// the oldest stays are forgotten: as they were until Monday, the ten thousandth day.
    fn people() -> [Profile; 3] {
        let mut seed = 7_u64;
        let mut draw = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as i64 % below
        };
        let (hour_s, day_s) = (3_600, 86_400);
        let mut worker = Vec::new();
        for day in (9_850..10_000).filter(|day| (day + 3) % 7 < 5) {
            let from_s = day * day_s + 9 * hour_s + draw(3_000);
            let hours = match draw(8) {
                0 => &[][..],
                1 => &[0, 1],
                2 => &[0, 1, 2, 5, 6, 11],
                _ => &[0, 1, 2, 3, 6, 7],
            };
            worker.extend(hours.iter().map(|hour| from_s + hour * hour_s));
        }
        let mut at_s = 9_700 * day_s;
        let wanderer = std::iter::from_fn(|| {
            at_s += hour_s + draw(40 * hour_s);
            (at_s < 10_000 * day_s - 19_800).then_some(at_s)
        });
        let wanderer: Vec<_> = wanderer.collect();
        let crowd = (0..274).map(|n| 9_940 * day_s + n * 18_900);
        [profile(worker, 0), profile(wanderer, 19_800), profile(crowd, 0)]
    }

    /// Mornings, noons and evenings of these people, in a population that rests on weekends and comes by day.
    pub(in crate::model) fn known() -> Vec<(Profile, Scene)> {
        let shape = |slot: usize| if (32..72).contains(&slot) { 0.3 - slot as f32 / 400.0 } else { 0.02 };
        let working: Vec<_> = (0..96).map(shape).collect();
        let population = Population {
            rest: [false, false, false, false, false, true, true],
            day_share: [0.5, 0.55, 0.6, 0.55, 0.45, 0.1, 0.08],
            resting: working.iter().map(|rate| rate / 5.0).collect(),
            working,
        };
        let [worker, wanderer, crowd] = people();
        let moments = [
            (&worker, 10_000, 8.75),
            (&worker, 9_995, 14.5),
            (&worker, 9_997, 23.0),
            (&worker, 9_998, 10.0),
            (&wanderer, 10_000, 3.25),
            (&wanderer, 9_991, 17.25),
            (&crowd, 10_000, 11.0),
        ];
        let known = moments.map(|(profile, day, hour)| {
            let at_s = day * 86_400 + (hour * 3_600.0) as i64;
            (profile.clone(), Scene::new(Moment::of_second(at_s, 0), &population))
        });
        known.into()
    }

    /// A model that was fitted is stored with a weight for each number: what a number is may not change unnoticed.
    #[test]
    fn the_numbers_of_known_people_stay_what_they_were() {
        let columns: Vec<_> =
            known().iter().map(|(profile, scene)| features(profile, scene, &Decay::default())).collect();
        let mut table = String::new();
        for (place, name) in NAMES.iter().enumerate() {
            write!(table, "{name:<26}").expect("text can be written to");
            for column in &columns {
                write!(table, "{:>10.4}", column[place]).expect("text can be written to");
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table);
    }

    proptest! {
        #[test]
        fn later_sightings_change_nothing(
            gaps_s in proptest::collection::vec(60i64..200_000, 1..40),
            later_s in proptest::collection::vec(60i64..90_000, 1..40),
            asleep_s in GAP_S..400_000,
            offset_s in -43_200i32..43_200,
        ) {
            let mut at_s = 1_600_000_000;
            let mut profile = Profile::default();
            for gap_s in gaps_s {
                at_s += gap_s;
                profile.see_second(at_s, offset_s, GAP_S);
            }
            let now_s = at_s + asleep_s;
            let before = at(&profile, now_s, offset_s);
            // Quarter hours: what comes within this one counts as come.
            at_s = now_s + 900;
            for gap_s in later_s {
                at_s += gap_s;
                profile.see_second(at_s, offset_s, GAP_S);
            }
            let bits = |features: Features| features.map(f32::to_bits);
            prop_assert_eq!(bits(before), bits(at(&profile, now_s, offset_s)));
        }

        #[test]
        fn no_profile_has_a_number_that_is_none(
            ats_s in proptest::collection::vec(-3_000_000_000i64..3_000_000_000, 0..300),
            now_s in -4_000_000_000i64..4_000_000_000,
            offset_s in -50_000i32..50_000,
        ) {
            let profile = profile(ats_s, offset_s);
            prop_assert!(at(&profile, now_s, -offset_s).iter().all(|number| number.is_finite()));
        }
    }
}
