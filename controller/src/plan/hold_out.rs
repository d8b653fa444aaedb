//! Who is left asleep on which day although a wake was wished for: a draw that everybody repeats and nobody foresees.

use reveille_proto::InstanceId;
use sha2::{Digest, Sha256};

/// Days of a block. In each, every instance is held out for its share, as near as whole days allow.
pub const BLOCK_DAYS: usize = 20;

/// More would cost users more than it could tell.
pub const SHARE_MAX: f64 = 0.5;

/// Less would take years to tell anything.
pub const SHARE_MIN: f64 = 0.001;

/// Shares are counted in millionths, so that no sum of them is rounded.
const PARTS: i64 = 1_000_000;

/// Which instance-days are forecast but not woken, so that the gain is a measurement.
///
/// Days are drawn in permuted blocks: an instance's days are cut into blocks of [`BLOCK_DAYS`], and in each the share
/// of them is held out, on places a hash shuffles. Blocks begin on another day for each instance, or a whole
/// cohort would end its blocks together. As every instance keeps its share, every cohort does: the draw is stratified
/// by cohort whatever cohorts there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HoldOut {
    /// Of the instance-days, 0..=0.5; 0 holds nobody out.
    pub share: f64,
    /// Another salt is another draw: it reshuffles who is held out when, today included.
    pub salt: String,
}

impl HoldOut {
    /// Whether the instance is left asleep on that local day (since 1970-01-01). The same answer whenever and
    /// wherever it is asked.
    pub fn holds(&self, cohort: &str, instance: &InstanceId, local_day: i32) -> bool {
        if self.share <= 0.0 {
            return false;
        }
        let start = self.draw(cohort, instance, "start");
        let block_days = BLOCK_DAYS as i64;
        let day = i64::from(local_day) + (start % BLOCK_DAYS as u128) as i64;
        let (block, place) = (day.div_euclid(block_days), day.rem_euclid(block_days) as usize);
        let held = self.held_of_block(block, (start / BLOCK_DAYS as u128 % PARTS as u128) as i64);
        let order = shuffled(self.draw(cohort, instance, &format!("block {block}")));
        order[..held].contains(&place)
    }

    /// Says what is wrong with the share, if something is.
    pub fn check(&self) -> Result<(), String> {
        if self.share == 0.0 || (SHARE_MIN..=SHARE_MAX).contains(&self.share) {
            return Ok(());
        }
        Err(format!(
            "is {}; it must be 0, which holds nobody out, or within {SHARE_MIN}..={SHARE_MAX}",
            self.share
        ))
    }

    /// How many days of a block are held out. Where the share is no whole number of days, what is left over goes on
    /// to the next block: over any run of blocks it is less than a day.
    fn held_of_block(&self, block: i64, left_over: i64) -> usize {
        let per_block = (self.share.min(SHARE_MAX) * PARTS as f64).round() as i64 * BLOCK_DAYS as i64;
        let until = |block: i64| (block * per_block + left_over).div_euclid(PARTS);
        (until(block + 1) - until(block)) as usize
    }

    /// 128 bits that depend on nothing else. The length before each part keeps "ab", "c" and "a", "bc" apart.
    fn draw(&self, cohort: &str, instance: &InstanceId, what: &str) -> u128 {
        let mut hash = Sha256::new();
        for part in [&self.salt, cohort, instance.as_str(), what] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
    }
}

/// The places of a block in the order in which they are held out (Fisher-Yates; 20! is far below 2^128, so that
/// every order is as likely as any other).
fn shuffled(mut bits: u128) -> [usize; BLOCK_DAYS] {
    let mut places = std::array::from_fn(|place| place);
    for last in (1..BLOCK_DAYS).rev() {
        let choices = last as u128 + 1;
        places.swap(last, (bits % choices) as usize);
        bits /= choices;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instance(n: usize) -> InstanceId {
        InstanceId::new(format!("dev{n}")).expect("an id")
    }

    fn hold_out(share: f64, salt: &str) -> HoldOut {
        HoldOut { share, salt: salt.into() }
    }

    fn held(hold_out: &HoldOut, instance: &InstanceId, days: std::ops::Range<i32>) -> Vec<i32> {
        days.filter(|day| hold_out.holds("dev", instance, *day)).collect()
    }

    #[test]
    fn the_draw_is_the_same_on_every_machine_and_in_every_version() {
        let known = hold_out(0.1, "a salt");
        assert_eq!(
            held(&known, &instance(1), 20_000..20_040),
            [20_004, 20_006, 20_013, 20_026, 20_031, 20_039]
        );
        // Of a share that is no whole number of days in twenty, what is left over is drawn as well.
        let uneven = hold_out(0.03, "a salt");
        let days = [1, 2, 3].map(|n| held(&uneven, &instance(n), 20_000..20_100));
        assert_eq!(days[0], [20_006, 20_031, 20_052, 20_097]);
        assert_eq!(days[1], [20_000, 20_038, 20_068]);
        assert_eq!(days[2], [20_019, 20_046, 20_090]);
        assert_ne!(
            held(&known, &instance(1), 20_000..20_400),
            held(&hold_out(0.1, "another"), &instance(1), 20_000..20_400)
        );
    }

    #[test]
    fn no_share_holds_nobody() {
        assert_eq!(held(&HoldOut::default(), &instance(1), -500..500), [0; 0]);
    }

    #[test]
    fn a_share_out_of_bounds_is_refused() {
        for share in [-0.1, 0.000_5, 0.51, f64::NAN, f64::INFINITY] {
            assert!(hold_out(share, "").check().is_err(), "{share}");
        }
        for share in [0.0, 0.001, 0.05, 0.5] {
            assert_eq!(hold_out(share, "").check(), Ok(()));
        }
    }

    #[test]
    fn every_weekday_is_held_out_alike() {
        let mut weekdays = [0_i32; 7];
        for n in 0..200 {
            for day in held(&hold_out(0.05, ""), &instance(n), 20_000..20_700) {
                weekdays[day.rem_euclid(7) as usize] += 1;
            }
        }
        // 7,000 draws: 1,000 each, give or take 30.
        assert!(weekdays.iter().all(|count| (count - 1_000).abs() < 120), "{weekdays:?}");
    }

    #[test]
    fn a_cohort_is_not_held_out_all_at_once() {
        let hold_out = hold_out(0.1, "");
        for day in 20_000..20_060 {
            let count = (0..1_000).filter(|n| hold_out.holds("dev", &instance(*n), day)).count();
            // One in ten of a thousand, give or take 9.5.
            assert!((55..=145).contains(&count), "{count} of 1000 on day {day}");
        }
    }

    #[test]
    fn one_day_says_little_of_another() {
        // The other held-out day of a block is any of 19 as likely, so the day after is it about once in 18.
        let hold_out = hold_out(0.1, "");
        let (mut after, mut days) = (0, 0);
        for n in 0..500 {
            for day in held(&hold_out, &instance(n), 20_000..20_200) {
                days += 1;
                after += u32::from(hold_out.holds("dev", &instance(n), day + 1));
            }
        }
        let share = f64::from(after) / f64::from(days);
        assert!((0.03..0.09).contains(&share), "{share}");
    }

    proptest! {
        /// Twenty days in a row that are a block hold exactly the share; some start of it exists for every instance.
        #[test]
        fn each_block_holds_its_share_exactly(
            n in 0..10_000usize, parts in 1..=10u8, salt in "[a-z]{0,4}", from in -40_000..40_000i32,
        ) {
            let hold_out = hold_out(f64::from(parts) * 0.05, &salt);
            let counts = |start: i32| -> Vec<usize> {
                let days = |block| from + start + 20 * block..from + start + 20 * (block + 1);
                (0..6).map(|block| held(&hold_out, &instance(n), days(block)).len()).collect()
            };
            let exact = |start: &i32| counts(*start).iter().all(|held| *held == usize::from(parts));
            prop_assert!((0..20).any(|start| exact(&start)));
        }

        /// Shares that are no whole number of days are kept over many blocks.
        #[test]
        fn what_is_left_over_is_not_lost(n in 0..10_000usize, share in SHARE_MIN..=SHARE_MAX) {
            let hold_out = hold_out(share, "");
            let count = held(&hold_out, &instance(n), 0..2_000).len() as f64;
            // Both ends may cut a block, of which at most ten days are held out.
            prop_assert!((count - share * 2_000.0).abs() <= 21.0, "{} of 2000 for {}", count, share);
        }

        /// Asked in any order, any number of times, on any copy.
        #[test]
        fn the_answer_does_not_depend_on_who_asks_when(
            mut asked in proptest::collection::vec((0..50usize, 0..200i32), 1..100), share in 0.0..=SHARE_MAX,
        ) {
            let first = hold_out(share, "s");
            let answers: Vec<_> = asked.iter().map(|(n, day)| first.holds("dev", &instance(*n), *day)).collect();
            let mut answers: Vec<_> = asked.iter().copied().zip(answers).collect();
            answers.sort_unstable();
            asked.sort_unstable();
            let second = first.clone();
            for (((n, day), answer), again) in answers.into_iter().zip(asked) {
                prop_assert_eq!((n, day), again);
                prop_assert_eq!(answer, second.holds("dev", &instance(n), day));
            }
        }
    }
}
