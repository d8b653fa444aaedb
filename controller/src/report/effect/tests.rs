//! Whole trials, many times over: what the interval promises, it keeps.

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reveille_proto::InstanceId;

use super::{Arm, Comparison, Significance, Unit, trial};
use crate::plan::HoldOut;

const DAYS: i32 = 50;
const INSTANCES: usize = 40;
const RUNS: u64 = 400;

/// How likely a user is to have to ask.
struct World {
    share: f64,
    /// Of the instance's number and the day.
    held_out: fn(usize, i32) -> f64,
    woken: fn(usize, i32) -> f64,
}

impl World {
    /// Its units in the order in which they become complete, 40 a day for 50 days, drawn as in production.
    fn units(&self, seed: u64) -> Vec<Unit> {
        let mut rng = StdRng::seed_from_u64(seed);
        let draw = HoldOut { share: self.share, salt: seed.to_string() };
        let cohort = |n: usize| ["blue", "green", "red"][n % 3];
        let ids: Vec<InstanceId> =
            (0..INSTANCES).map(|n| InstanceId::new(format!("dev{n}")).expect("an id")).collect();
        let days = (0..DAYS).flat_map(|day| (0..INSTANCES).map(move |n| (day, n)));
        let unit = |(day, n): (i32, usize)| {
            let held = draw.holds(cohort(n), &ids[n], 20_000 + day);
            let likely = if held { (self.held_out)(n, day) } else { (self.woken)(n, day) };
            let from = Timestamp::from_second(i64::from(day) * 86_400).expect("in range");
            Unit {
                instance: ids[n].clone(),
                cohort: cohort(n).to_owned(),
                arm: if held { Arm::HeldOut } else { Arm::Woken },
                hold_out_share: self.share,
                from,
                until: from + SignedDuration::from_hours(24),
                arrivals: 1,
                asked: u32::from(rng.random::<f64>() < likely),
                waited_s: 0.0,
                waits_known: 0,
            }
        };
        days.map(unit).collect()
    }
}

/// Of `RUNS` trials looked at after every unit: the share in which the interval ever left `truth` out, and
/// the share in which an interval made for one look did.
fn ever_missed(world: &World, truth: f64) -> (f64, f64) {
    let (mut always, mut once) = (0, 0);
    for seed in 0..RUNS {
        let mut comparison = Comparison::default();
        let (mut missed_always, mut missed_once) = (false, false);
        for unit in world.units(seed) {
            comparison.add(&unit);
            let Some(estimate) = comparison.estimate() else { continue };
            let (low, high) = estimate.interval();
            missed_always |= truth < low || high < truth;
            let half = 1.96 * estimate.deviation / (estimate.units as f64).sqrt();
            missed_once |= (estimate.fewer - truth).abs() > half;
        }
        always += u32::from(missed_always);
        once += u32::from(missed_once);
    }
    (f64::from(always) / RUNS as f64, f64::from(once) / RUNS as f64)
}

/// Users of some instances ask far more often than those of others, and on Mondays more than on Sundays.
fn uneven(n: usize, day: i32) -> f64 {
    0.2 + 0.2 * (n % 3) as f64 + 0.05 * f64::from(day % 7)
}

fn seldom(_: usize, _: i32) -> f64 {
    0.03
}

#[test]
fn without_an_effect_looking_always_finds_one_in_at_most_one_trial_of_twenty() {
    for share in [0.05, 0.5] {
        let (always, once) = ever_missed(&World { share, held_out: uneven, woken: uneven }, 0.0);
        assert!(always <= 0.05 + 0.02, "share {share}: {always}");
        // What is made for one look fails when looked at always: the test can tell.
        assert!(once > 0.12, "share {share}: {once}");
    }
}

#[test]
fn few_who_ask_are_not_taken_for_an_effect() {
    let (always, _) = ever_missed(&World { share: 0.05, held_out: seldom, woken: seldom }, 0.0);
    assert!(always <= 0.05 + 0.02, "{always}");
}

#[test]
fn a_real_effect_is_found_and_its_size_is_in_the_interval() {
    let world = World { share: 0.05, held_out: |n, day| 0.4 + uneven(n, day) / 2.0, woken: |_, _| 0.2 };
    let (mut found, mut missed) = (0, 0);
    for seed in 0..40 {
        let units = world.units(seed);
        let truth = units.iter().map(|unit| effect_on(&world, unit)).sum::<f64>() / units.len() as f64;
        let told = trial(units, world.share);
        let effect = told.effect.expect("a hundred held-out units");
        found += u32::from(told.significance == Significance::Yes && effect.low > 0.0);
        missed += u32::from(truth < effect.low || effect.high < truth);
    }
    assert!(found >= 39 && missed <= 2, "found {found}, missed {missed} of 40");
}

fn effect_on(world: &World, unit: &Unit) -> f64 {
    let n = unit.instance.as_str().trim_start_matches("dev").parse().expect("a number");
    let day = (unit.from.as_second() / 86_400) as i32;
    (world.held_out)(n, day) - (world.woken)(n, day)
}

#[test]
fn not_yet_says_about_how_many_units_are_missing() {
    let world = World { share: 0.05, held_out: |_, _| 0.5, woken: |_, _| 0.3 };
    let units = world.units(1);
    let early = trial(units[..1_000].to_vec(), world.share);
    let Significance::NotYet { units: 1_000, needed: Some(needed) } = early.significance else {
        panic!("too early to be certain: {early:?}")
    };
    // The variance is about 0.25 / 0.05 + 0.21 / 0.95, the effect 0.2, so that 3.1 * 2.3 / sqrt(n) = 0.2 at 1,270.
    assert!((50..20_000).contains(&needed), "{needed}");
}

/// A release in the middle of the trial makes everybody ask more often, woken or not.
#[test]
fn a_release_misleads_before_and_after_but_not_the_trial() {
    fn after_release(day: i32) -> f64 {
        if day < DAYS / 2 { 0.0 } else { 0.3 }
    }
    let world = World {
        share: 0.2,
        held_out: |_, day| 0.5 + after_release(day),
        woken: |_, day| 0.25 + after_release(day),
    };
    let (mut of_trial, mut of_before_and_after) = (0.0, 0.0);
    for seed in 0..40 {
        let units = world.units(seed);
        let woken = units.iter().filter(|unit| unit.arm == Arm::Woken);
        let (count, asked) =
            woken.fold((0.0, 0.0), |(count, asked), unit| (count + 1.0, asked + f64::from(unit.asked)));
        // Before Reveille, one in two asked.
        of_before_and_after += (0.5 - asked / count) / 40.0;
        of_trial += trial(units, world.share).effect.expect("enough").fewer_asked_per_unit / 40.0;
    }
    assert!((of_trial - 0.25_f64).abs() < 0.02, "{of_trial}");
    assert!((of_before_and_after - 0.25_f64).abs() > 0.1, "{of_before_and_after}");
}
