//! What the model looks at: numbers computed from a profile in one pass over its stays.

use super::{
    decay::{AGE_DAYS_MAX, Decay, LANES},
    moment::Moment,
    population::Population,
    profile2::{Profile, day_of_quarter},
    stays::QUARTERS_PER_DAY,
};

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

features! {
    ahead_5d: Rates, ahead_15d: Rates, ahead_45d: Rates, ahead_150d: Rates,
    hour_5d: Rates, hour_15d: Rates, hour_45d: Rates, hour_150d: Rates,
    around_5d: Rates, around_15d: Rates, around_45d: Rates, around_150d: Rates,
    near_15d: Rates, near_45d: Rates, near_150d: Rates,
    arrivals_5d: Days, arrivals_15d: Days, arrivals_45d: Days,
    weekly_45d: Week, weekly_150d: Week, weekly_around_45d: Week, weekly_around_150d: Week,
    alike_15d: Week, alike_45d: Week, alike_150d: Week, alike_hour_45d: Week,
    unalike_45d: Week,
    days_3: Days, days_7: Days, days_14: Days, days_28: Days, days_56: Days, days_112: Days,
    days_same_8w: Days, days_same_16w: Days, days_alike_28: Days, days_alike_84: Days,
    used_1: Days, used_2: Days, used_3: Days, used_7: Days, used_14: Days, used_21: Days,
    silent_days: Days, streak_days: Days, ahead_used_1: Days, ahead_used_7: Days,
    began_45d: Today, began_150d: Today, gap_hazard: Today, gap_support: Today,
    arrivals_today: Today, none_today: Today, used_today: Today, used_today_idle: Today,
    arrivals_48h: Today, last_stay: Today,
    idle: Idle, idle_squared: Idle, idle_days: Idle,
    rest_day: Calendar, after_rest: Calendar, before_rest: Calendar, population: Calendar,
    population_none_today: Calendar, sin_1: Calendar, cos_1: Calendar, sin_2: Calendar, cos_2: Calendar,
    concentration: Rates, known_days: Calendar,
}

pub const COUNT: usize = NAMES.len();

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

/// What depends on the moment and the population only: computed once for all instances that share them.
#[derive(Debug, Clone)]
pub struct Scene {
    moment: Moment,
    day: i32,
    slot: i32,
    /// Whether the day so many days (modulo 7) back is of the same kind, work or rest, as today.
    alike: [bool; 7],
    alike_share: f32,
    /// The same for each of the last days.
    alike_days: u128,
    population: f32,
    day_share: f32,
    calendar: [f32; 3],
    clock: [f32; 4],
}

impl Scene {
    pub fn new(moment: Moment, population: &Population) -> Self {
        let dow = moment.day_of_week();
        let rest = |days_back: usize| population.rest[(dow + 14 - days_back % 7) % 7];
        let alike: [bool; 7] = std::array::from_fn(|back| rest(back) == rest(0));
        let alike_days =
            (0..128).filter(|back| alike[(back + 1) % 7]).fold(0u128, |mask, back| mask | 1 << back);
        let turn = moment.slot() as f32 / QUARTERS_PER_DAY as f32 * std::f32::consts::TAU;
        let flag = |yes: bool| f32::from(u8::from(yes));
        Self {
            moment,
            day: moment.day(),
            slot: moment.slot() as i32,
            alike,
            alike_share: alike.iter().filter(|alike| **alike).count() as f32 / 7.0,
            alike_days,
            population: population.rate(moment).max(0.01),
            day_share: population.day_share[dow].max(0.02),
            calendar: [flag(rest(0)), flag(rest(1) && !rest(0)), flag(rest(6) && !rest(0))],
            clock: [turn.sin(), turn.cos(), (2.0 * turn).sin(), (2.0 * turn).cos()],
        }
    }

    /// To another day at the same time of the same day of the week, where all else is the same.
    pub(super) fn move_to(&mut self, moment: Moment) {
        self.moment = moment;
        self.day = moment.day();
    }

    pub fn moment(&self) -> Moment {
        self.moment
    }

    pub fn population_rate(&self) -> f32 {
        self.population
    }
}

type Lanes = [f32; LANES];

fn add(to: &mut Lanes, what: &Lanes) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what;
    }
}

/// Sums over the stays of a profile. `began` counts days on which nobody had come yet at this time if nobody has
/// come today, days on which somebody had if somebody has.
#[derive(Default)]
struct Sums {
    ahead: Lanes,
    hour: Lanes,
    around: Lanes,
    near: Lanes,
    arrivals: Lanes,
    weekly: Lanes,
    weekly_around: Lanes,
    alike: Lanes,
    alike_hour: Lanes,
    /// Weight of the days on which somebody had come by this time.
    begun: Lanes,
    /// Of those, and of the others, the weight of the days on which somebody came within the window.
    begun_ahead: Lanes,
    fresh_ahead: Lanes,
    gap_within: f32,
    gap_longer: f32,
    today: u32,
    last_48h: u32,
    ahead_used_1: bool,
    ahead_used_7: bool,
}

/// A profile's numbers at the moment of `scene`; the instance must be asleep. Stays after the moment are not
/// looked at.
pub fn features(profile: &Profile, scene: &Scene, decay: &Decay) -> Features {
    let mut out = [0.0; COUNT];
    let now = scene.moment.quarter;
    let stays = profile.stays();
    let starts = stays.starts();
    let known = starts.partition_point(|start| stays.base() + i32::from(*start) <= now);
    let last = known.checked_sub(1).and_then(|index| stays.get(index));
    let idle_quarters = last.map_or(4_000, |last| (now - last.end).max(0));
    let sums = sum(profile, scene, decay, known, idle_quarters);

    let mut history = profile.history_days(scene.moment).max(1);
    let days_known = history;
    if stays.dropped()
        && let Some(oldest) = stays.get(0)
    {
        history = history.min(scene.day - day_of_quarter(oldest.start)).max(1);
    }
    let norm = decay.sum(history);
    let none_today = sums.today == 0;
    put_rates(&mut out, scene, &sums, norm);
    put_days(&mut out, scene, profile, days_known);
    let mut set = |feature: F, value: f32| out[feature as usize] = value;

    let (came, of) = if none_today {
        (sums.fresh_ahead, std::array::from_fn(|i| (norm[i] - sums.begun[i]).max(0.0)))
    } else {
        (sums.begun_ahead, sums.begun)
    };
    let began = |lane: usize, prior: f32| ((came[lane] + prior * scene.population) / (of[lane] + prior)).ln();
    set(F::began_45d, began(2, 0.12));
    set(F::began_150d, began(3, 0.06));
    set(F::gap_hazard, ((sums.gap_within + 0.3) / (sums.gap_longer + 2.0)).ln());
    set(F::gap_support, (sums.gap_longer + 1.0).ln());
    let used_today = last.is_some_and(|last| day_of_quarter(last.end) >= scene.day);
    let idle_h = idle_quarters as f32 / 4.0;
    let log_idle = idle_h.min(2_000.0).ln_1p();
    set(F::arrivals_today, sums.today.min(4) as f32);
    set(F::none_today, f32::from(u8::from(none_today)));
    set(F::used_today, f32::from(u8::from(used_today)));
    set(F::used_today_idle, if used_today { log_idle } else { 0.0 });
    set(F::arrivals_48h, (sums.last_48h as f32).ln_1p());
    set(F::last_stay, last.map_or(0.0, |last| (0.1 + (last.end - last.start) as f32 / 4.0).ln()));
    set(F::idle, log_idle);
    set(F::idle_squared, log_idle * log_idle);
    set(F::idle_days, idle_h.min(48.0) / 24.0);
    let log_population = scene.population.ln();
    set(F::rest_day, scene.calendar[0]);
    set(F::after_rest, scene.calendar[1]);
    set(F::before_rest, scene.calendar[2]);
    set(F::population, log_population);
    set(F::population_none_today, if none_today { log_population } else { 0.0 });
    set(F::sin_1, scene.clock[0]);
    set(F::cos_1, scene.clock[1]);
    set(F::sin_2, scene.clock[2]);
    set(F::cos_2, scene.clock[3]);
    set(F::known_days, (days_known.min(365) as f32).ln());
    out
}

fn sum(profile: &Profile, scene: &Scene, decay: &Decay, known: usize, idle_quarters: i32) -> Sums {
    let mut sums = Sums::default();
    let stays = profile.stays();
    let weights = decay.weights();
    let to_now = scene.moment.quarter - stays.base();
    // The base need not be a midnight: quarters are counted from the one before it.
    let into_day = stays.base().rem_euclid(QUARTERS_PER_DAY);
    let today = (to_now + into_day).div_euclid(QUARTERS_PER_DAY);
    let mut day_before = (i32::MIN, 0);
    let mut day = (i32::MIN, 0);
    let mut counted_ahead = 0;
    let mut end_before: Option<i32> = None;
    let starts = &stays.starts()[..known];
    for (index, (start, length)) in starts.iter().zip(stays.lengths()).enumerate() {
        let start = i32::from(*start);
        let delta = to_now - start;
        let its_day = (start + into_day) / QUARTERS_PER_DAY;
        let its_slot = (start + into_day) % QUARTERS_PER_DAY;
        if let Some(end_before) = end_before {
            let gap = start - end_before;
            if gap > idle_quarters {
                let weight = decay.gaps()[known - 1 - index];
                sums.gap_longer += weight;
                sums.gap_within += if gap <= idle_quarters + WINDOW_QUARTERS { weight } else { 0.0 };
            }
        }
        end_before = Some(start + i32::from(*length));
        let first_of_day = its_day != day.0;
        if first_of_day {
            day_before = day;
            day = (its_day, its_slot);
        }
        let age = today - its_day;
        if age <= 0 {
            sums.today += 1;
        } else {
            let weight = &weights[(age as usize).min(AGE_DAYS_MAX)];
            add(&mut sums.arrivals, weight);
            if first_of_day && its_slot < scene.slot {
                add(&mut sums.begun, weight);
            }
        }
        sums.last_48h += u32::from(delta < 2 * QUARTERS_PER_DAY);
        // Which day's window it falls in, counted back from now, and how far ahead of this time of day.
        let back = (delta + 19) / QUARTERS_PER_DAY;
        let ahead = 19 - (delta + 19) % QUARTERS_PER_DAY;
        if back == 0 || ahead < -4 {
            continue;
        }
        let weight = &weights[(back as usize).min(AGE_DAYS_MAX)];
        let same_day = back % 7 == 0;
        let alike = scene.alike[(back % 7) as usize];
        add(&mut sums.around, weight);
        if same_day {
            add(&mut sums.weekly_around, weight);
        }
        if (-2..3).contains(&ahead) {
            add(&mut sums.near, weight);
        }
        if (0..4).contains(&ahead) {
            add(&mut sums.hour, weight);
            if alike {
                add(&mut sums.alike_hour, weight);
            }
        }
        if !(0..WINDOW_QUARTERS).contains(&ahead) || counted_ahead == back {
            continue;
        }
        counted_ahead = back;
        add(&mut sums.ahead, weight);
        if same_day {
            add(&mut sums.weekly, weight);
        }
        if alike {
            add(&mut sums.alike, weight);
        }
        sums.ahead_used_1 |= back == 1;
        sums.ahead_used_7 |= back == 7;
        // The day whose time of day this was may be the one before the stay's, past midnight.
        let window_day = today - back;
        let begun_at = if its_day == window_day {
            Some(day.1)
        } else {
            (day_before.0 == window_day).then_some(day_before.1)
        };
        let begun = begun_at.is_some_and(|slot| slot < scene.slot);
        add(if begun { &mut sums.begun_ahead } else { &mut sums.fresh_ahead }, weight);
    }
    sums
}

/// Days of the population mixed into a rate, in each memory: the shorter, the more.
const PRIOR: Lanes = [0.5, 0.25, 0.13, 0.08];

fn put_rates(out: &mut Features, scene: &Scene, sums: &Sums, norm: Lanes) {
    let rate = |sum: &Lanes, lane: usize, share: f32, scale: f32| {
        let prior = PRIOR[lane] * share;
        ((sum[lane] + prior * scale * scene.population) / (norm[lane] * share + prior)).ln()
    };
    for (first, sum, scale) in
        [(F::ahead_5d, &sums.ahead, 1.0), (F::hour_5d, &sums.hour, 0.4), (F::around_5d, &sums.around, 1.8)]
    {
        for lane in 0..LANES {
            out[first as usize + lane] = rate(sum, lane, 1.0, scale);
        }
    }
    let mut set = |feature: F, value: f32| out[feature as usize] = value;
    set(F::near_15d, rate(&sums.near, 1, 1.0, 0.5));
    set(F::near_45d, rate(&sums.near, 2, 1.0, 0.5));
    set(F::near_150d, rate(&sums.near, 3, 1.0, 0.5));
    let arrivals =
        |lane: usize| ((sums.arrivals[lane] + 0.1 * scene.day_share) / (norm[lane] + 0.1)).max(0.005).ln();
    set(F::arrivals_5d, arrivals(0));
    set(F::arrivals_15d, arrivals(1));
    set(F::arrivals_45d, arrivals(2));
    let week = 1.0 / 7.0;
    set(F::weekly_45d, rate(&sums.weekly, 2, week * 2.0, 0.5));
    set(F::weekly_150d, rate(&sums.weekly, 3, week * 2.0, 0.5));
    set(F::weekly_around_45d, rate(&sums.weekly_around, 2, week * 2.0, 0.9));
    set(F::weekly_around_150d, rate(&sums.weekly_around, 3, week * 2.0, 0.9));
    let alike = scene.alike_share;
    set(F::alike_15d, rate(&sums.alike, 1, alike, 1.0));
    set(F::alike_45d, rate(&sums.alike, 2, alike, 1.0));
    set(F::alike_150d, rate(&sums.alike, 3, alike, 1.0));
    set(F::alike_hour_45d, rate(&sums.alike_hour, 2, alike, 0.4));
    let unalike: Lanes = std::array::from_fn(|lane| sums.ahead[lane] - sums.alike[lane]);
    set(F::unalike_45d, rate(&unalike, 2, (1.0 - alike).max(week), 1.0));
    set(F::ahead_used_1, f32::from(u8::from(sums.ahead_used_1)));
    set(F::ahead_used_7, f32::from(u8::from(sums.ahead_used_7)));
    let per_arrival = (sums.ahead[2] + 0.01) / (sums.arrivals[2] + 0.03);
    set(F::concentration, per_arrival.ln());
}

fn put_days(out: &mut Features, scene: &Scene, profile: &Profile, days_known: i32) {
    let mut set = |feature: F, value: f32| out[feature as usize] = value;
    let used = profile.days_before(scene.day);
    let first = |days: i32| 1u128.checked_shl(days.unsigned_abs()).map_or(u128::MAX, |bit| bit - 1);
    let known = first(days_known);
    let share = |mask: u128, prior_days: f32| {
        let days = (mask & known).count_ones() as f32;
        let active = (used & mask).count_ones() as f32;
        ((active + prior_days * scene.day_share) / (days + prior_days)).ln()
    };
    set(F::days_3, share(first(3), 0.6));
    set(F::days_7, share(first(7), 0.8));
    set(F::days_14, share(first(14), 1.0));
    set(F::days_28, share(first(28), 1.0));
    set(F::days_56, share(first(56), 1.5));
    set(F::days_112, share(first(112), 2.0));
    set(F::days_same_8w, share(EVERY_7TH & first(56), 0.7));
    set(F::days_same_16w, share(EVERY_7TH & first(112), 0.8));
    set(F::days_alike_28, share(scene.alike_days & first(28), 1.0));
    set(F::days_alike_84, share(scene.alike_days & first(84), 1.5));
    let flag = |days_back: u32| (used >> (days_back - 1) & 1) as f32;
    set(F::used_1, flag(1));
    set(F::used_2, flag(2));
    set(F::used_3, flag(3));
    set(F::used_7, flag(7));
    set(F::used_14, flag(14));
    set(F::used_21, flag(21));
    set(F::silent_days, (used.trailing_zeros().min(60) as f32).ln_1p());
    set(F::streak_days, (used.trailing_ones().min(30) as f32).ln_1p());
}
