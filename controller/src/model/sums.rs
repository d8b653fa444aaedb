//! What the stays of a profile sum up to at a moment, each weighed by how long ago it was.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]
#![expect(clippy::needless_bitwise_bool, reason = "without a branch, many stays are looked at in one go")]

use super::{
    decay::{AGE_DAYS_MAX, Decay, LANES, Lanes},
    features::WINDOW_QUARTERS,
    places::{AHEAD_MAX, Places},
    profile::Profile,
    scene::Scene,
    stays::STAYS_MAX,
};

/// Sums over the stays that began at or before a moment.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Days with an arrival within the window after this time of day.
    pub ahead: Lanes,
    /// Arrivals from an hour before it until five hours after it.
    pub around: Lanes,
    /// Arrivals in a window's length before it, and in as much after the window.
    pub before: Lanes,
    pub after: Lanes,
    /// Days on which it was in use within the window.
    pub present: Lanes,
    /// Days on which it was in use within the hour.
    pub present_hour: Lanes,
    pub arrivals: Lanes,
    /// As `around`, on the same day of the week.
    pub weekly: Lanes,
    /// As `ahead`, on days that are alike, working days or days of rest.
    pub alike: Lanes,
    /// As `present`, on days that are alike, and on the same day of the week.
    pub alike_present: Lanes,
    pub weekly_present: Lanes,
    /// Days on which an arrival began.
    pub used: Lanes,
    /// Of those, the ones on which it was before this time of day.
    pub begun: Lanes,
    /// As `ahead`, on days that had begun by this time if today has, else on days that had not.
    pub like_today: Lanes,
    /// Gaps between stays that lasted longer than the present one until now, and those that then ended in time.
    pub gap_longer: f32,
    pub gap_within: f32,
    pub today: u32,
    pub last_48h: u32,
    pub ahead_used_1: bool,
    pub ahead_used_7: bool,
}

// What a stay of an earlier day is counted in, seen from the moment: a bit each. First those of a day only once: its
// first stay that has the bit stands for it. As stays follow each other in time, those of a day that have it are neighbours.
const AHEAD: u16 = 1;
const PRESENT: u16 = 1 << 1;
const PRESENT_HOUR: u16 = 1 << 2;
const ONCE_A_DAY: u16 = AHEAD | PRESENT | PRESENT_HOUR;
const AROUND: u16 = 1 << 3;
const BEFORE: u16 = 1 << 4;
const AFTER: u16 = 1 << 5;
const WEEKLY: u16 = 1 << 6;
const ALIKE: u16 = 1 << 7;
const LIKE_TODAY: u16 = 1 << 8;
const ALIKE_PRESENT: u16 = 1 << 9;
const WEEKLY_PRESENT: u16 = 1 << 10;

const WINDOW: u16 = WINDOW_QUARTERS as u16;
/// Numbers in a wide register.
const WIDE: usize = 8;

/// The bits of a byte as numbers to multiply with.
static SPREAD: [[f32; WIDE]; 256] = {
    let mut spread = [[0.0; WIDE]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < WIDE {
            spread[byte][bit] = (byte >> bit & 1) as f32;
            bit += 1;
        }
        byte += 1;
    }
    spread
};

/// How often a stay counts among the days used, and among those begun, in each memory: by the two bits of `firsts`.
static FIRSTS: [[f32; 2 * LANES]; 4] = {
    let (no, yes) = (0.0, 1.0);
    [
        [no; 2 * LANES],
        [yes, yes, yes, yes, no, no, no, no],
        [no, no, no, no, yes, yes, yes, yes],
        [yes; 2 * LANES],
    ]
};

#[inline(always)]
fn total(values: &[f32; STAYS_MAX]) -> f32 {
    let mut sums = [0.0f32; WIDE];
    for eight in values.as_chunks::<WIDE>().0 {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum += value;
        }
    }
    sums.iter().sum()
}

/// `bit` if so.
#[inline(always)]
fn put(bit: u16, so: bool) -> u16 {
    if so { bit } else { 0 }
}

/// Sums of the weights of stays by bit.
struct ByBit([[[f32; WIDE]; 2]; LANES]);

impl ByBit {
    #[inline(always)]
    fn of(&self, bit: u16) -> Lanes {
        let place = bit.trailing_zeros() as usize;
        std::array::from_fn(|lane| self.0[lane][place / WIDE][place % WIDE])
    }
}

impl Sums {
    /// Over the first `known` stays, asleep for `idle_quarters` now.
    #[inline(always)]
    pub(super) fn of(
        profile: &Profile,
        scene: &Scene,
        decay: &Decay,
        known: usize,
        idle_quarters: i32,
    ) -> Self {
        let mut places = Places::default();
        places.fill(profile.stays(), known, scene.moment());
        let mut sums = Self::default();
        sums.gaps(profile, decay, known, idle_quarters);
        sums.days(&places, scene, decay, known);
        sums.windows(&places, scene, decay, &profile.stays().lengths()[..known]);
        sums
    }

    #[inline(always)]
    fn gaps(&mut self, profile: &Profile, decay: &Decay, known: usize, idle_quarters: i32) {
        let stays = profile.stays();
        let Some(gaps) = known.checked_sub(1) else { return };
        let (starts, lengths) = (&stays.starts()[..known], &stays.lengths()[..gaps]);
        let weights = &decay.gaps()[STAYS_MAX - gaps..];
        let until = idle_quarters.saturating_add(WINDOW_QUARTERS);
        let (mut longer, mut within) = ([0.0f32; STAYS_MAX], [0.0f32; STAYS_MAX]);
        let pairs = starts.iter().zip(&starts[1..]).zip(lengths).zip(weights);
        for ((longer, within), (((start, next), length), weight)) in
            longer.iter_mut().zip(&mut within).zip(pairs)
        {
            let gap = i32::from(*next) - i32::from(*start) - i32::from(*length);
            *longer = if gap > idle_quarters { *weight } else { 0.0 };
            *within = if gap <= until { *longer } else { 0.0 };
        }
        (self.gap_longer, self.gap_within) = (total(&longer), total(&within));
    }

    /// Sums by day.
    #[inline(always)]
    fn days(&mut self, places: &Places, scene: &Scene, decay: &Decay, known: usize) {
        let now_slot = scene.moment().slot() as u16;
        // Of each stay, whether it is the first of its day, and began before this time of day.
        let mut firsts = [0u16; STAYS_MAX];
        let mut age_before = u16::MAX;
        let columns = places.age[..known].iter().zip(&places.slot[..known]);
        for (first, (age, slot)) in firsts.iter_mut().zip(columns) {
            *first = put(1, *age != age_before) | put(2, (*age != age_before) & (*slot < now_slot));
            age_before = *age;
        }
        let weights = decay.weights();
        let (mut arrivals, mut by_day) = ([0.0; LANES], [0.0; 2 * LANES]);
        for (first, age) in firsts[..known].iter().zip(&places.age[..known]) {
            let weight = &weights[usize::from(*age).min(AGE_DAYS_MAX)];
            for lane in 0..LANES {
                arrivals[lane] += weight[lane];
            }
            let times = &FIRSTS[usize::from(*first & 3)];
            for (lane, (sum, times)) in by_day.iter_mut().zip(times).enumerate() {
                *sum += weight[lane % LANES] * times;
            }
        }
        self.arrivals = arrivals;
        (self.used, self.begun) =
            (std::array::from_fn(|lane| by_day[lane]), std::array::from_fn(|lane| by_day[LANES + lane]));
        self.today = places.age[..known].iter().rev().take_while(|age| **age == 0).count() as u32;
    }

    #[inline(always)]
    fn windows(&mut self, places: &Places, scene: &Scene, decay: &Decay, lengths: &[u8]) {
        let known = lengths.len();
        let newest = places.back[..known].iter().zip(&places.behind[..known]).rev();
        self.last_48h = newest
            .take_while(|(back, behind)| **back < 2 || **back == 2 && **behind < AHEAD_MAX)
            .count() as u32;
        let counted = self.counted(places, scene, lengths);
        let weights = decay.weights();
        let mut sums = ByBit([[[0.0; WIDE]; 2]; LANES]);
        for (bits, back) in counted[..known].iter().zip(&places.back[..known]) {
            let weight = &weights[usize::from(*back).min(AGE_DAYS_MAX)];
            let bits = bits.to_le_bytes().map(|byte| &SPREAD[usize::from(byte)]);
            for (sums, weight) in sums.0.iter_mut().zip(weight) {
                for (sums, bits) in sums.iter_mut().zip(bits) {
                    for (sum, bit) in sums.iter_mut().zip(bits) {
                        *sum += weight * bit;
                    }
                }
            }
        }
        (self.ahead, self.present, self.present_hour) =
            (sums.of(AHEAD), sums.of(PRESENT), sums.of(PRESENT_HOUR));
        (self.around, self.before, self.after) = (sums.of(AROUND), sums.of(BEFORE), sums.of(AFTER));
        (self.weekly, self.weekly_present) = (sums.of(WEEKLY), sums.of(WEEKLY_PRESENT));
        (self.alike, self.alike_present) = (sums.of(ALIKE), sums.of(ALIKE_PRESENT));
        self.like_today = sums.of(LIKE_TODAY);
    }

    /// What each stay is counted in.
    #[inline(always)]
    fn counted(&mut self, places: &Places, scene: &Scene, lengths: &[u8]) -> [u16; STAYS_MAX] {
        let known = lengths.len();
        let mut seen = [0u16; STAYS_MAX];
        let columns = places.behind[..known].iter().zip(lengths);
        for (seen, (behind, length)) in seen.iter_mut().zip(columns) {
            // Quarter hours ahead of this time of day are AHEAD_MAX - behind; what is below 0 wraps to far above.
            let (behind, until) = (*behind, AHEAD_MAX + u16::from(*length));
            let between = |ahead_from: u16, ahead_to: u16| {
                behind.wrapping_sub(AHEAD_MAX + 1).wrapping_add(ahead_to) < ahead_to.wrapping_sub(ahead_from)
            };
            let in_use = behind <= until;
            *seen = put(AHEAD, between(0, WINDOW))
                | put(PRESENT, in_use & (behind > AHEAD_MAX - WINDOW))
                | put(PRESENT_HOUR, in_use & (behind > AHEAD_MAX - 4))
                | put(AROUND, between(4u16.wrapping_neg(), 20))
                | put(BEFORE, between(WINDOW.wrapping_neg(), 0))
                | put(AFTER, between(WINDOW, 2 * WINDOW));
        }
        let today_began = self.today > 0;
        let alike: [u16; 7] = std::array::from_fn(|back| put(u16::MAX, scene.alike(back as u16)));
        let mut counted = [0u16; STAYS_MAX];
        let (mut used_1, mut used_7) = (0, 0);
        // Of the stay before, its bits, the day it is near to, and its own day; none before the first.
        let (mut bits_before, mut back_before, mut age_before) = (0, u16::MAX, u16::MAX);
        let columns = seen[..known].iter().zip(&places.back[..known]).zip(&places.age[..known]);
        for (counted, ((seen, back), age)) in counted.iter_mut().zip(columns) {
            let (seen, back) = (*seen, *back);
            let again = if back == back_before { bits_before & ONCE_A_DAY } else { 0 };
            let first = seen & !again;
            // The first in the window: a stay of the same day before it was before this time of day.
            let begun = age_before == back;
            (bits_before, back_before, age_before) = (seen, back, *age);
            let (ahead, present) = (first & AHEAD, first & PRESENT);
            let of_week = back % 7;
            let mut alike_day = 0;
            for (day, alike) in alike.iter().enumerate() {
                alike_day |= put(*alike, of_week == day as u16);
            }
            let like_today = put(LIKE_TODAY, (ahead > 0) & (begun == today_began));
            *counted = first
                | put(WEEKLY, (first & AROUND > 0) & (of_week == 0))
                | put(ALIKE, ahead > 0) & alike_day
                | like_today
                | put(ALIKE_PRESENT, present > 0) & alike_day
                | put(WEEKLY_PRESENT, (present > 0) & (of_week == 0));
            used_1 |= put(ahead, back == 1);
            used_7 |= put(ahead, back == 7);
        }
        (self.ahead_used_1, self.ahead_used_7) = (used_1 > 0, used_7 > 0);
        counted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        moment::Moment,
        population::Population,
        stays::{Stay, Stays},
    };

    fn add(sums: &mut Lanes, weight: &Lanes, so: bool) {
        if so {
            sums.iter_mut().zip(weight).for_each(|(sum, weight)| *sum += weight);
        }
    }

    /// The sums stay by stay, as they are described.
    fn one_by_one(known: &[Stay], scene: &Scene, decay: &Decay, idle: i32) -> Sums {
        let now = scene.moment().quarter;
        let day = |quarter: i32| quarter.div_euclid(96);
        let age = |stay: &Stay| day(now) - day(stay.start);
        // The day whose time of day it is near to, and how far ahead of that it began.
        let back = |stay: &Stay| (now - stay.start + 23) / 96;
        let ahead = |stay: &Stay| stay.start - now + 96 * back(stay);
        let arrives = |stay: &Stay, from: i32, to: i32| (from..to).contains(&ahead(stay));
        let in_use = |stay: &Stay, to: i32| ahead(stay) < to && stay.end - stay.start + ahead(stay) >= 0;
        let weight = |days: i32| &decay.weights()[days as usize];
        let mut sums =
            Sums { today: known.iter().filter(|stay| age(stay) == 0).count() as u32, ..Sums::default() };
        for (i, stay) in known.iter().enumerate() {
            let before = &known[..i];
            let back_days = back(stay);
            let first = |so: &dyn Fn(&Stay) -> bool| {
                so(stay) && !before.iter().any(|other| back(other) == back_days && so(other))
            };
            let (of_back, of_age) = (weight(back_days), weight(age(stay)));
            let comes = first(&|stay| arrives(stay, 0, 12));
            let present = first(&|stay| in_use(stay, 12));
            add(&mut sums.ahead, of_back, comes);
            add(&mut sums.present, of_back, present);
            add(&mut sums.present_hour, of_back, first(&|stay| in_use(stay, 4)));
            add(&mut sums.around, of_back, arrives(stay, -4, 20));
            add(&mut sums.before, of_back, arrives(stay, -12, 0));
            add(&mut sums.after, of_back, arrives(stay, 12, 24));
            add(&mut sums.weekly, of_back, arrives(stay, -4, 20) && back_days % 7 == 0);
            add(&mut sums.weekly_present, of_back, present && back_days % 7 == 0);
            let alike = scene.alike(back_days as u16);
            add(&mut sums.alike, of_back, comes && alike);
            add(&mut sums.alike_present, of_back, present && alike);
            let begun =
                before.iter().any(|other| age(other) == back_days && other.start < now - 96 * back_days);
            add(&mut sums.like_today, of_back, comes && begun == (sums.today > 0));
            let first_of_day = before.iter().all(|other| age(other) != age(stay));
            add(&mut sums.arrivals, of_age, true);
            add(&mut sums.used, of_age, first_of_day);
            add(&mut sums.begun, of_age, first_of_day && stay.start.rem_euclid(96) < now.rem_euclid(96));
            sums.last_48h += u32::from(now - stay.start < 192);
            sums.ahead_used_1 |= comes && back_days == 1;
            sums.ahead_used_7 |= comes && back_days == 7;
            if let Some(next) = known.get(i + 1) {
                let (gap, weight) = (next.start - stay.end, 0.985f32.powi((known.len() - i) as i32 - 2));
                sums.gap_longer += if gap > idle { weight } else { 0.0 };
                sums.gap_within += if gap > idle && gap <= idle + 12 { weight } else { 0.0 };
            }
        }
        sums
    }

    proptest! {
        #[test]
        fn they_are_what_is_counted_stay_by_stay(
            first in 1_900_000..1_900_700i32,
            pairs in proptest::collection::vec((0..14i32, 1..70i32), 1..120),
            later in 0..4usize,
            since in 0..150i32,
        ) {
            let mut stays = Vec::new();
            let mut at = first;
            for (length, gap) in pairs {
                stays.push(Stay { start: at, end: at + length });
                at += length + gap;
            }
            // Some of them may come after the moment.
            let now = stays[stays.len().saturating_sub(1 + later)].start + since;
            let known = stays.partition_point(|stay| stay.start <= now);
            let idle = (now - stays[known - 1].end).max(0);
            let profile = Profile::restore(0, 0, 0, 0, Stays::restore(stays.iter().copied(), false));
            let population = Population { rest: [false, true, false, false, false, true, true], ..Population::default() };
            let (scene, decay) = (Scene::new(Moment { quarter: now }, &population), Decay::default());
            let found = Sums::of(&profile, &scene, &decay, known, idle);
            let expected = one_by_one(&stays[..known], &scene, &decay, idle);
            let lanes = |sums: &Sums| {
                [
                    sums.ahead, sums.around, sums.before, sums.after, sums.present, sums.present_hour, sums.arrivals,
                    sums.weekly, sums.alike, sums.alike_present, sums.weekly_present, sums.used, sums.begun,
                    sums.like_today, [sums.gap_longer, sums.gap_within, 0.0, 0.0],
                ]
            };
            for (place, (found, expected)) in lanes(&found).iter().zip(lanes(&expected)).enumerate() {
                for (found, expected) in found.iter().zip(expected) {
                    prop_assert!((found - expected).abs() < 1e-4, "{}: {} is not {}", place, found, expected);
                }
            }
            let counts = |sums: &Sums| (sums.today, sums.last_48h, sums.ahead_used_1, sums.ahead_used_7);
            prop_assert_eq!(counts(&found), counts(&expected));
        }
    }
}
