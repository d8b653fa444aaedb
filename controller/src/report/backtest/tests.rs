//! The fitted model's replay, on a made-up fleet: regular people, what they cost, and that nothing looks ahead.

use std::sync::LazyLock;

use proptest::prelude::*;
use reveille_proto::InstanceId;

use super::{BOOT_S, FittedReplay, FittedRun, HOLD_S, IDLE_S, Score, Traced, WINDOW_S, replay_fitted};
use crate::model::{
    CovisitRule, Scorer,
    fit::{Clockwork, FitRule, fit},
    population::Population,
};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
const CLOCKWORK: Clockwork = Clockwork { idle_gap_s: IDLE_S, lead_s: BOOT_S, window_s: WINDOW_S };

fn traced(name: usize, sightings_s: Vec<i64>) -> Traced {
    let id = InstanceId::new(format!("dev{name}")).expect("an id");
    let offsets_s = vec![HOUR_S as i32; sightings_s.len()];
    Traced::new(id, sightings_s, 5, None).expect("has sightings").with_offsets_s(offsets_s)
}

/// Comes on working days about `hour`, now and then not at all, and sometimes again in the afternoon.
fn person(name: usize, hour: i64, days: i64) -> Traced {
    let mut sightings_s = Vec::new();
    for day in 0..days {
        let chance = (day * 7_919 + name as i64 * 104_729) % 97;
        // Day 0 is a Thursday.
        if (day + 3) % 7 >= 5 || chance < 9 {
            continue;
        }
        let at_s = day * DAY_S + hour * HOUR_S + (chance % 45) * 60;
        sightings_s.extend([at_s, at_s + HOUR_S]);
        if chance % 3 == 0 {
            sightings_s.push(at_s + 6 * HOUR_S);
        }
    }
    traced(name, sightings_s)
}

static SCORER: LazyLock<Scorer> = LazyLock::new(|| {
    let histories: Vec<_> = (0..4).map(|i| person(i, 6 + i as i64, 80).history()).collect();
    let rule = FitRule { rows: 20_000, ..FitRule::new(CLOCKWORK) };
    Scorer::new(fit(&histories, &rule, &Population::default(), |_| {}).expect("people come"))
});

fn run(traced: &[Traced], budgets_h: &[f64]) -> FittedRun {
    run_with(traced, budgets_h, None)
}

fn run_with(traced: &[Traced], budgets_h: &[f64], covisits: Option<CovisitRule>) -> FittedRun {
    replay_fitted(FittedReplay { traced, scorer: &SCORER, budgets_h, steady: false, covisits }, |_, _| {})
}

#[test]
fn regular_people_find_their_instances_awake_within_the_budget() {
    let fleet: Vec<_> = (0..4).map(|i| person(i + 10, 7 + i as i64, 120)).collect();
    let found = run(&fleet, &[0.5, 2.0]);
    let arrivals = fleet.iter().map(|t| t.arrivals_enrolled() as u64).sum();
    let days = fleet.iter().map(|t| t.enrolled_days().len() as u64).sum();
    let scores: Vec<Score> = found.budgets.iter().map(|run| Score::new(run.tally, arrivals, days)).collect();
    for (run, score) in found.budgets.iter().zip(&scores) {
        let spent = score.idle_hours_per_day / run.budget_h;
        assert!((0.7..1.3).contains(&spent), "{} h: {spent} of it", run.budget_h);
        assert_eq!(run.wakes.len() as u64, run.tally.wakes);
        assert!(run.wakes.iter().all(|wake| wake.at_s % 900 == 0), "on quarter hours");
    }
    assert!(scores[0].recall < scores[1].recall && scores[1].recall > 0.7, "{scores:?}");
    assert!(found.calibration.error().expect("they sleep") < 0.2);
}

#[test]
fn who_follows_another_at_odd_hours_is_found_by_covisits() {
    let hour = |day: i64| (day * 7_919 % 23) * HOUR_S + day * 104_729 % 3_600;
    let leader: Vec<i64> = (0..160).map(|day| day * DAY_S + hour(day)).collect();
    let follower = leader.iter().map(|at_s| at_s + 1_800).collect();
    let pair = [traced(30, leader), traced(31, follower)];
    let arrivals: u64 = pair.iter().map(|t| t.arrivals_enrolled() as u64).sum();
    let found = |covisits| {
        let tally = run_with(&pair, &[1.0], covisits).budgets[0].tally;
        Score::new(tally, arrivals, 1).recall
    };
    let (without, with) = (found(None), found(Some(CovisitRule::default())));
    assert!(with > 0.4 && with > without + 0.2, "half of the arrivals follow: {without} -> {with}");
}

#[test]
fn a_hold_is_not_broken_by_another_wake() {
    let found = run(&[person(20, 9, 100)], &[6.0]);
    let wakes = &found.budgets[0].wakes;
    assert!(wakes.len() > 50, "{}", wakes.len());
    let arrival_between = |a: i64, b: i64| person(20, 9, 100).next_arrival(a).is_some_and(|at_s| at_s < b);
    for pair in wakes.windows(2) {
        let (a, b) = (pair[0].at_s, pair[1].at_s);
        assert!(b - a >= HOLD_S || arrival_between(a, b), "{a} {b}");
    }
}

/// Per instance, the days on which somebody came, and when.
type Days = Vec<Vec<(i64, i64)>>;

fn days() -> impl Strategy<Value = Days> {
    let one = proptest::collection::vec((0..48i64, 0..DAY_S), 60..140);
    proptest::collection::vec(one, 3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever happens from `cut` on, the wakes before it are the same, prices of the fleet included. Every trace
    /// goes on to the same last day, as its end is what the enrolment ends by.
    #[test]
    fn no_wake_depends_on_what_follows_it(
        days in days(),
        cut_s in 36 * DAY_S..48 * DAY_S,
        with_covisits in any::<bool>(),
    ) {
        // So easily had that they are used.
        let rule = CovisitRule {
            support_min: 1, confidence_min: 0.01, lift_min: 0.1, deviations: 0.0, ..CovisitRule::default()
        };
        let fleet = |keep: &dyn Fn(i64) -> bool| -> Vec<Traced> {
            let of = |sighted: &Vec<(i64, i64)>| {
                let all = sighted.iter().map(|(day, second)| day * DAY_S + second);
                all.filter(|at_s| keep(*at_s)).chain([49 * DAY_S]).collect()
            };
            days.iter().map(of).enumerate().map(|(name, seen)| traced(name, seen)).collect()
        };
        let wakes = |fleet: &[Traced]| -> Vec<Vec<(String, i64)>> {
            let before = |run: &super::BudgetRun| {
                let wakes = run.wakes.iter().filter(|wake| wake.at_s < cut_s);
                wakes.map(|wake| (wake.instance.to_string(), wake.at_s)).collect()
            };
            let covisits = with_covisits.then_some(rule);
            run_with(fleet, &[1.0, 10.0], covisits).budgets.iter().map(before).collect()
        };
        let all = wakes(&fleet(&|_| true));
        // Too many fleets in which nobody is woken would fail the test.
        prop_assume!(!all[1].is_empty());
        prop_assert_eq!(wakes(&fleet(&|at_s| at_s < cut_s)), all);
    }
}
