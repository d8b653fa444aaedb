use super::*;
use crate::model::{features::NAMES, moment::Moment};

const CLOCKWORK: Clockwork = Clockwork { idle_gap_s: 7_200, lead_s: 300, window_s: 10_800 };
const DAY_S: i64 = 86_400;

fn point(at_s: i64, next_s: i64) -> Point {
    Point { at_s, moment: Moment::of_second(at_s, 0), next_s }
}

#[test]
fn one_in_so_many_numbers_is_taken_evenly() {
    let taken = |every: u64| (0..10_000).filter(|number| one_in(*number, every)).count();
    assert_eq!(taken(1), 10_000);
    assert!((2_400..2_600).contains(&taken(4)), "{}", taken(4));
    assert!((900..1_100).contains(&taken(10)), "{}", taken(10));
}

#[test]
fn sleeps_are_drawn_as_a_whole_and_their_quarter_hours_one_by_one() {
    let draw = Draw { one_in: 4, row_in: 3 };
    let about = |share: f64, taken: usize| (taken as f64 / 3_000.0 - share).abs() < 0.03;
    // Sleeps that end at the same time, of as many histories, and those of one.
    let ends = |history: usize, next_s: i64| draw.takes(history, &point(0, next_s));
    assert!(about(0.25, (0..3_000).filter(|history| ends(*history, 90_000)).count()));
    assert!(about(0.25, (0..3_000).filter(|n| ends(7, n * 13_000)).count()));
    assert!((0..96).all(|n| draw.takes(7, &point(n * 900, 90_000)) == ends(7, 90_000)));
    let row = |history: usize, quarter: i64| draw.makes_row(history, &point(quarter * 900, 0));
    assert!(about(1.0 / 3.0, (0..3_000).filter(|history| row(*history, 5)).count()));
    assert!(about(1.0 / 3.0, (0..3_000).filter(|quarter| row(7, *quarter)).count()));
}

#[test]
fn a_sleep_goes_on_a_quarter_hour_later_if_the_same_arrival_ends_it() {
    let mut sleeps = Vec::new();
    let places: Vec<_> =
        [(0, 9_000), (900, 9_000), (1_800, 9_000), (3_600, 9_000), (4_500, 9_000), (5_400, 9_900)]
            .into_iter()
            .map(|(at_s, next_s)| place(&mut sleeps, &point(at_s, next_s)))
            .collect();
    assert_eq!(places, [0, 1, 2, 0, 1, 0]);
    let found: Vec<_> = sleeps.iter().map(|sleep| (sleep.from_s, sleep.next_s, sleep.scores.len())).collect();
    assert_eq!(found, [(0, 9_000, 3), (3_600, 9_000, 2), (5_400, 9_900, 1)]);
}

/// Three sleeps of an hour that are ended by their user, with these scores.
fn sleeps() -> Vec<Sleep> {
    let sleep = |n: i64| Sleep { from_s: n * DAY_S, next_s: n * DAY_S + 3_600, scores: vec![n as f32; 4] };
    (1..=3).map(sleep).collect()
}

#[test]
fn a_threshold_is_the_lowest_that_costs_no_more_than_the_budget() {
    for (budget_h, days, expected) in
        [(2.0, 1, 1.0), (1.99, 1, 2.0), (1.0, 1, 2.0), (0.5, 2, 2.0), (0.5, 1, 3.0), (3.0, 1, -20.0)]
    {
        let threshold = threshold_at(&sleeps(), CLOCKWORK, budget_h, days);
        assert!((0.0..1e-4).contains(&(threshold - expected)), "{budget_h} on {days}: {threshold}");
    }
}

#[test]
fn a_frontier_has_a_point_for_every_budget_that_buys_more() {
    let points = frontier(&sleeps(), CLOCKWORK, 2, 4);
    let found: Vec<_> =
        points.iter().map(|point| [point.idle_h_per_day, point.recall, point.wakes_per_day]).collect();
    assert_eq!(found, [[0.5, 0.25, 0.5], [1.0, 0.5, 1.0], [1.5, 0.75, 1.5]]);
    for (point, expected) in points.iter().zip([2.0, 1.0, -20.0]) {
        assert!((point.threshold - expected).abs() < 1e-4, "{point:?}");
    }
}

#[test]
fn a_row_is_right_to_wake_at_if_that_gains_and_matters_by_how_much() {
    let sleep = |next_s: i64| Sleep { from_s: 0, next_s, scores: vec![0.0; 5] };
    let past = |sleeps: Vec<Sleep>, places: Vec<(u32, u32)>| Past { sleeps, places, ..Past::default() };
    let pasts = [
        past(vec![sleep(4_500), sleep(i64::MAX)], vec![(0, 1), (0, 4), (1, 0), (1, 4)]),
        past(vec![sleep(3_800)], vec![(0, 3), (0, 4)]),
    ];
    let rule = FitRule { price: 0.2, ..FitRule::new(CLOCKWORK) };
    // Nobody is woken for nothing.
    let (labels, weights) = lesson(&pasts, &FitRule { budget_h: 0.0, ..rule }, 1);
    assert_eq!(labels, [true, true, false, false, true, false]);
    // One less a fifth of an hour's wait; a fifth of three hours; a fifth of what is too late.
    let expected = [1.0 - 0.2, 1.0 - 0.05, 0.6, 0.6, 1.0 - 0.2 * 1_100.0 / 3_600.0, 0.2 * 200.0 / 3_600.0];
    for (weight, expected) in weights.iter().zip(expected) {
        assert!((weight - expected).abs() < 1e-5, "{weights:?}");
    }
}

/// People of some habit, each of its own hours.
fn people() -> Vec<History> {
    let mut seed = 11_u64;
    let mut draw = |below: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as i64 % below
    };
    let mut histories = Vec::new();
    for person in 0..8 {
        let mut sightings = Vec::new();
        for day in 100..150_i64 {
            if (day + 3) % 7 < 5 && draw(10) < 7 {
                let from_s = day * DAY_S + 6 * 3_600 + person * 3_000 + draw(7_200);
                let hours = 1 + draw(4);
                sightings.extend((0..=hours).map(|hour| (from_s + hour * 3_600, 3_600)));
            }
        }
        histories.push(History { sightings, days: (115..148).collect() });
    }
    histories
}

fn rule() -> FitRule {
    FitRule {
        rows: 200,
        quarters: 10_000,
        hinges: 0,
        without: vec![Group::Rates, Group::Week, Group::Days, Group::Today],
        ..FitRule::new(CLOCKWORK)
    }
}

fn assert_near(found: &[f64], expected: &[f64]) {
    let near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-3;
    assert!(found.iter().zip(expected).all(near), "{found:?} is not {expected:?}");
}

/// The model that Reveille comes with was fitted in this way: what comes out may not change unnoticed.
#[test]
fn a_model_fitted_to_known_people_stays_what_it_was() {
    let fitted = fit(&people(), &rule(), &Population::default(), |_| {}).expect("somebody came");
    let place = |name: &str| NAMES.iter().position(|other| *other == name).expect("a feature");
    let places = ["idle", "population", "known_days", "idle_days", "rest_day", "sin_1"].map(place);
    let left_out = (0..NAMES.len()).filter(|i| rule().without.contains(&GROUPS[*i]));
    for (head, expected) in [
        (&fitted.within_1h, [-4.8792, 0.9823, 1.0230, -0.5372, -1.2503, -0.1222, -0.6880]),
        (&fitted.within_3h, [-7.9890, 1.1196, 1.4664, 0.3028, -1.5538, -1.7967, 0.8367]),
        (&fitted.within_24h, [-2.4271, 0.2706, 0.9011, 0.6968, -0.7868, -2.5626, -0.5412]),
        (&fitted.wake, [-8.4371, 1.0738, 2.4028, 0.6567, 1.2206, -2.1230, -1.0945]),
    ] {
        let numbers = std::iter::once(head.intercept).chain(places.map(|place| head.weights[place]));
        assert_near(&numbers.map(f64::from).collect::<Vec<_>>(), &expected);
        assert!(left_out.clone().all(|i| head.weights[i].abs() < 1e-12));
    }
    assert_eq!(fitted.frontier.len(), FRONTIER_H.len());
    for (place, expected) in [
        (0, [5.2728, 0.0354, 0.0417, 0.0303]),
        (2, [4.0198, 0.2417, 0.1111, 0.1212]),
        (7, [-1.0051, 1.9903, 0.7083, 0.8636]),
        (15, [-7.5763, 11.9907, 0.7361, 4.2121]),
    ] {
        let point = fitted.frontier[place];
        let found = [point.threshold.into(), point.idle_h_per_day, point.recall, point.wakes_per_day];
        assert_near(&found, &expected);
    }
    let screen = fitted.screen.as_ref().expect("budgets are reached");
    let found = [
        screen.weights[0],
        screen.weights[14],
        screen.cuts[0].threshold,
        screen.cuts[0].line,
        screen.cuts[6].line,
    ];
    assert_near(&found.map(f64::from), &[-1.7122, -2.2731, -4.6752, 2.3087, 17.8953]);
    let population = &fitted.population;
    assert_near(&[population.day_share[2].into(), population.working[40].into()], &[0.5917, 0.2242]);
    // There are too few rows to bend by, whatever is asked for.
    let bent = fit(&people(), &FitRule { hinges: 48, ..rule() }, &Population::default(), |_| {});
    assert_eq!(fitted.network, None);
    assert_eq!(bent, Some(fitted));
}

#[test]
fn nothing_is_learned_where_nobody_comes() {
    let never = History { sightings: vec![(0, 0)], days: (5..9).collect() };
    assert_eq!(fit(&[never], &rule(), &Population::default(), |_| {}), None);
    assert_eq!(fit(&[], &rule(), &Population::default(), |_| {}), None);
}
