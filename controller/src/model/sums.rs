//! What the stays of a profile sum up to at a moment, each weighed by how long ago it was.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]
#![expect(
    clippy::needless_bitwise_bool,
    reason = "both sides are cheaper than a branch that is guessed wrong"
)]

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

#[inline(always)]
fn add(to: &mut Lanes, weight: &Lanes, times: f32) {
    for (to, weight) in to.iter_mut().zip(weight) {
        *to += weight * times;
    }
}

fn flag(yes: bool) -> f32 {
    f32::from(u8::from(yes))
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
        let places = Places::of(profile.stays(), known, scene.moment());
        let mut sums = Self::default();
        sums.gaps(profile, decay, known, idle_quarters);
        let begun = sums.days(&places, scene, decay, known);
        sums.windows(&places, scene, decay, known, &begun, &profile.stays().lengths()[..known]);
        sums
    }

    #[inline(always)]
    fn gaps(&mut self, profile: &Profile, decay: &Decay, known: usize, idle_quarters: i32) {
        let stays = profile.stays();
        let Some(gaps) = known.checked_sub(1) else { return };
        let (starts, lengths) = (&stays.starts()[..known], &stays.lengths()[..gaps]);
        let weights = &decay.gaps()[STAYS_MAX - gaps..];
        let until = idle_quarters.saturating_add(WINDOW_QUARTERS);
        let mut values = [0.0f32; 2 * STAYS_MAX];
        let (longer, within) = values.split_at_mut(STAYS_MAX);
        let pairs = starts.iter().zip(&starts[1..]).zip(lengths).zip(weights);
        for ((longer, within), (((start, next), length), weight)) in longer.iter_mut().zip(within).zip(pairs)
        {
            let gap = i32::from(*next) - i32::from(*start) - i32::from(*length);
            *longer = if gap > idle_quarters { *weight } else { 0.0 };
            *within = if gap <= until { *longer } else { 0.0 };
        }
        let total = |values: &[f32]| {
            let eights = values.as_chunks::<8>().0.iter();
            let sums = eights.fold([0.0f32; 8], |sums, eight| std::array::from_fn(|i| sums[i] + eight[i]));
            sums.iter().sum()
        };
        self.gap_longer = total(&values[..STAYS_MAX]);
        self.gap_within = total(&values[STAYS_MAX..]);
    }

    /// Sums by day; returns for each stay whether the day that had this time of day near it had begun by then.
    #[inline(always)]
    fn days(&mut self, places: &Places, scene: &Scene, decay: &Decay, known: usize) -> [bool; STAYS_MAX] {
        let now_slot = scene.moment().slot() as u16;
        let weights = decay.weights();
        let mut begun = [false; STAYS_MAX];
        // The days of the stay before, and whether they began before this time of day.
        let (mut age_before, mut begun_before) = (u16::MAX, false);
        let (mut age_earlier, mut begun_earlier) = (u16::MAX, false);
        let (mut arrivals, mut used, mut all_begun) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let columns = places.age[..known].iter().zip(&places.slot[..known]).zip(&places.back[..known]);
        for (begun, ((age, slot), back)) in begun.iter_mut().zip(columns) {
            let (age, slot, back) = (*age, *slot, *back);
            let weight = &weights[usize::from(age).min(AGE_DAYS_MAX)];
            let (first, early) = (age != age_before, slot < now_slot);
            (age_earlier, begun_earlier) =
                if first { (age_before, begun_before) } else { (age_earlier, begun_earlier) };
            (age_before, begun_before) = if first { (age, early) } else { (age_before, begun_before) };
            add(&mut arrivals, weight, 1.0);
            add(&mut used, weight, flag(first));
            add(&mut all_begun, weight, flag(first & early));
            // Past midnight it may be near the time of day of the day before its own.
            *begun = (back == age) & begun_before | (back != age) & (back == age_earlier) & begun_earlier;
            self.today += u32::from(age == 0);
        }
        (self.arrivals, self.used, self.begun) = (arrivals, used, all_begun);
        begun
    }

    #[inline(always)]
    fn windows(
        &mut self,
        places: &Places,
        scene: &Scene,
        decay: &Decay,
        known: usize,
        begun: &[bool; STAYS_MAX],
        lengths: &[u8],
    ) {
        // Farthest before now's time of day that an arrival is looked at.
        const LAST: u16 = AHEAD_MAX + WINDOW_QUARTERS as u16;
        let (mut count, mut chosen) = (0, [0u8; STAYS_MAX]);
        let columns = places.behind[..known].iter().zip(&places.back[..known]).zip(lengths);
        for (i, ((behind, back), length)) in columns.enumerate() {
            // Near in time, or still in use at this time of day.
            let near = (*behind <= LAST) | (*behind <= AHEAD_MAX + u16::from(*length));
            if let Some(place) = chosen.get_mut(count) {
                *place = i as u8;
            }
            count += usize::from(near & (*back > 0));
        }
        let newest = places.back[..known].iter().zip(&places.behind[..known]).rev();
        self.last_48h = newest
            .take_while(|(back, behind)| **back < 2 || **back == 2 && **behind < AHEAD_MAX)
            .count() as u32;
        let weights = decay.weights();
        let today_began = self.today > 0;
        let (mut ahead_back, mut present_back, mut hour_back) = (0, 0, 0);
        let mut own = Self::default();
        for i in chosen.iter().take(count) {
            let i = usize::from(*i).min(STAYS_MAX - 1);
            let back = places.back[i];
            let ahead = i32::from(AHEAD_MAX) - i32::from(places.behind[i]);
            let weight = &weights[usize::from(back).min(AGE_DAYS_MAX)];
            let (same_day, alike) = (back.is_multiple_of(7), scene.alike(back));
            let around = (-4..20).contains(&ahead);
            add(&mut own.around, weight, flag(around));
            add(&mut own.weekly, weight, flag(around & same_day));
            add(&mut own.before, weight, flag((-WINDOW_QUARTERS..0).contains(&ahead)));
            add(&mut own.after, weight, flag((WINDOW_QUARTERS..2 * WINDOW_QUARTERS).contains(&ahead)));
            let within = (0..WINDOW_QUARTERS).contains(&ahead) & (back != ahead_back);
            ahead_back = if within { back } else { ahead_back };
            add(&mut own.ahead, weight, flag(within));
            add(&mut own.alike, weight, flag(within & alike));
            add(&mut own.like_today, weight, flag(within & (begun[i] == today_began)));
            let length = lengths.get(i).map_or(0, |length| i32::from(*length));
            let present = (ahead < WINDOW_QUARTERS) & (ahead + length >= 0) & (back != present_back);
            present_back = if present { back } else { present_back };
            add(&mut own.present, weight, flag(present));
            let hour = (ahead < 4) & (ahead + length >= 0) & (back != hour_back);
            hour_back = if hour { back } else { hour_back };
            add(&mut own.present_hour, weight, flag(hour));
            add(&mut own.alike_present, weight, flag(present & alike));
            add(&mut own.weekly_present, weight, flag(present & same_day));
            own.ahead_used_1 |= within & (back == 1);
            own.ahead_used_7 |= within & (back == 7);
        }
        let (arrivals, used, all_begun) = (self.arrivals, self.used, self.begun);
        let (gap_longer, gap_within, today, last_48h) =
            (self.gap_longer, self.gap_within, self.today, self.last_48h);
        *self = Self { arrivals, used, begun: all_begun, gap_longer, gap_within, today, last_48h, ..own };
    }
}
