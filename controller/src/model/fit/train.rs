//! Fits a model to histories.

use super::{
    advantage::{Sleep, advantages, play},
    history::{Clockwork, History, Point},
    logistic::{Standard, logistic},
};
use crate::model::{
    decay::Decay,
    features::{Features, GROUPS, Group},
    fitted::{Fitted, FrontierPoint},
    head::Head,
    population::{Census, Population},
};

/// What is fitted, and how.
#[derive(Debug, Clone)]
pub struct FitRule {
    pub clockwork: Clockwork,
    /// Rows the heads are fitted on, about.
    pub rows: usize,
    /// What an idle hour costs, in arrivals that find the instance awake.
    pub price: f64,
    /// Idle hours per instance and day of the policy that the wake head improves on.
    pub budget_h: f64,
    /// Rounds of improvement.
    pub rounds: usize,
    /// Quarter hours that thresholds and advantages are computed over, about: of more, whole sleeps are drawn.
    pub quarters: usize,
    /// Groups of features left out, for an ablation.
    pub without: Vec<Group>,
}

impl FitRule {
    pub fn new(clockwork: Clockwork) -> Self {
        Self {
            clockwork,
            rows: 400_000,
            price: 0.12,
            budget_h: 1.0,
            rounds: 2,
            quarters: 6_000_000,
            without: Vec::new(),
        }
    }
}

/// Rows that were drawn, and where in the sleeps they come from.
#[derive(Default)]
struct Sample {
    rows: Vec<Features>,
    wait_s: Vec<i64>,
    /// Sleep and quarter hour in it.
    places: Vec<(u32, u32)>,
}

/// Fits all heads. `prior` is shrunk toward where little was counted. `None` when nothing can be learned.
pub fn fit(
    histories: &[History],
    rule: &FitRule,
    prior: &Population,
    mut progress: impl FnMut(&str),
) -> Option<Fitted> {
    let decay = Decay::default();
    let clockwork = rule.clockwork;
    progress("counting the population");
    let mut census = Census::default();
    for history in histories {
        history.census(clockwork, &mut census);
    }
    let population = census.population(prior);
    let instance_days: usize = histories.iter().map(|history| history.days.len()).sum();
    // An instance sleeps through about 90 quarter hours of a day.
    let one_in = (instance_days * 90 / rule.quarters.max(1)).max(1);
    let drawn_days = instance_days.div_ceil(one_in);
    let draw = Draw { one_in: one_in as u64, row_in: (drawn_days * 90 / rule.rows.max(1)).max(1) as u64 };
    progress("computing features");
    let (mut sleeps, sample) = sleeps(histories, clockwork, &population, &decay, draw);
    if !sample.wait_s.iter().any(|wait_s| *wait_s <= clockwork.window_s) {
        return None;
    }
    let standard = Standard::of(&sample.rows, |i| !rule.without.contains(&GROUPS[i]));
    let even = vec![1.0; sample.rows.len()];
    let mut head = |name: &str, from_s: i64, to_s: i64| {
        progress(name);
        let labels: Vec<bool> = sample.wait_s.iter().map(|wait_s| (from_s..=to_s).contains(wait_s)).collect();
        logistic(&sample.rows, &standard, &labels, &even)
    };
    let within_1h = head("fitting within 1 h", 0, 3_600);
    let within_3h = head("fitting within 3 h", 0, 3 * 3_600);
    let within_24h = head("fitting within 24 h", 0, 24 * 3_600);
    let mut wake = head("fitting the first wake score", clockwork.lead_s, clockwork.window_s);
    for _ in 0..rule.rounds {
        progress("fitting the wake score");
        rescore(histories, clockwork, &population, &decay, &wake, draw, &mut sleeps);
        let threshold = threshold_at(&sleeps, clockwork, rule.budget_h, drawn_days);
        let mut gains = vec![0.0; sample.rows.len()];
        let mut of_sleep: Option<(u32, Vec<f32>)> = None;
        for (gain, (sleep, quarter)) in gains.iter_mut().zip(&sample.places) {
            if of_sleep.as_ref().is_none_or(|(of, _)| of != sleep) {
                let all = advantages(&sleeps[*sleep as usize], clockwork, rule.price, threshold);
                of_sleep = Some((*sleep, all));
            }
            *gain = of_sleep.as_ref().map_or(0.0, |(_, all)| all[*quarter as usize]);
        }
        let labels: Vec<bool> = gains.iter().map(|gain| *gain > 0.0).collect();
        let weights: Vec<f32> = gains.iter().map(|gain| gain.abs()).collect();
        wake = logistic(&sample.rows, &standard, &labels, &weights);
    }
    rescore(histories, clockwork, &population, &decay, &wake, draw, &mut sleeps);
    progress("drawing the frontier");
    let arrivals = arrivals(histories, clockwork) / draw.one_in;
    let frontier = frontier(&sleeps, clockwork, drawn_days, arrivals);
    Some(Fitted { wake, within_1h, within_3h, within_24h, population, frontier })
}

/// Which part of the past is looked at, the same each time.
#[derive(Debug, Clone, Copy)]
struct Draw {
    /// Of so many sleeps one.
    one_in: u64,
    /// Of so many quarter hours of these one is a row.
    row_in: u64,
}

impl Draw {
    /// Sleeps are drawn by what ends them: all quarter hours of one or none.
    fn takes(self, history: usize, point: &Point) -> bool {
        one_in((point.next_s as u64).wrapping_add(history as u64 * 1_000_003), self.one_in)
    }
}

/// One in `every` numbers, evenly: by a multiplicative hash.
fn one_in(number: u64, every: u64) -> bool {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33 <= (u64::from(u32::MAX) >> 1) / every
}

fn sleeps(
    histories: &[History],
    clockwork: Clockwork,
    population: &Population,
    decay: &Decay,
    draw: Draw,
) -> (Vec<Sleep>, Sample) {
    let mut sleeps: Vec<Sleep> = Vec::new();
    let mut sample = Sample::default();
    let mut drawn = 0u64;
    for (index, history) in histories.iter().enumerate() {
        let first = sleeps.len();
        history.walk_chosen(
            clockwork,
            population,
            decay,
            |point| draw.takes(index, point),
            |point, features| {
                let quarter = place(&mut sleeps, first, point);
                drawn += 1;
                if one_in(drawn, draw.row_in) {
                    sample.rows.push(*features);
                    sample.wait_s.push(point.wait_s());
                    sample.places.push((sleeps.len() as u32 - 1, quarter));
                }
            },
        );
    }
    (sleeps, sample)
}

/// Appends the point to the sleep it goes on, or begins one; returns which quarter hour of it the point is.
fn place(sleeps: &mut Vec<Sleep>, first: usize, point: &Point) -> u32 {
    let goes_on = sleeps.len() > first
        && sleeps.last().is_some_and(|sleep| {
            sleep.next_s == point.next_s && sleep.from_s + sleep.scores.len() as i64 * 900 == point.at_s
        });
    if !goes_on {
        sleeps.push(Sleep { from_s: point.at_s, next_s: point.next_s, scores: Vec::new() });
    }
    sleeps.last_mut().map_or(0, |sleep| {
        sleep.scores.push(0.0);
        sleep.scores.len() as u32 - 1
    })
}

fn rescore(
    histories: &[History],
    clockwork: Clockwork,
    population: &Population,
    decay: &Decay,
    head: &Head,
    draw: Draw,
    sleeps: &mut [Sleep],
) {
    let mut scores = sleeps.iter_mut().flat_map(|sleep| sleep.scores.iter_mut());
    for (index, history) in histories.iter().enumerate() {
        history.walk_chosen(
            clockwork,
            population,
            decay,
            |point| draw.takes(index, point),
            |_, features| {
                if let Some(score) = scores.next() {
                    *score = head.score(features);
                }
            },
        );
    }
}

/// The threshold that costs `budget_h` idle hours per instance-day.
pub fn threshold_at(sleeps: &[Sleep], clockwork: Clockwork, budget_h: f64, instance_days: usize) -> f32 {
    let (mut low, mut high) = (-20.0f32, 20.0f32);
    for _ in 0..24 {
        let middle = low.midpoint(high);
        let idle_s = play(sleeps.iter(), clockwork, middle).idle_s;
        if idle_s as f64 / 3_600.0 > budget_h * instance_days as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn arrivals(histories: &[History], clockwork: Clockwork) -> u64 {
    let mut arrivals = 0;
    for history in histories {
        let mut last_s = i64::MIN;
        for (at_s, _) in &history.sightings {
            let begins = at_s.saturating_sub(last_s) >= clockwork.idle_gap_s;
            let day = at_s.div_euclid(86_400) as i32;
            arrivals += u64::from(begins && history.days.binary_search(&day).is_ok());
            last_s = *at_s;
        }
    }
    arrivals
}

/// Idle hours per instance and day of the points a frontier is drawn through.
pub const FRONTIER_H: [f64; 16] =
    [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0];

fn frontier(
    sleeps: &[Sleep],
    clockwork: Clockwork,
    instance_days: usize,
    arrivals: u64,
) -> Vec<FrontierPoint> {
    let days = instance_days.max(1) as f64;
    let point = |budget_h: f64| {
        let threshold = threshold_at(sleeps, clockwork, budget_h, instance_days);
        let spent = play(sleeps.iter(), clockwork, threshold);
        FrontierPoint {
            threshold,
            idle_h_per_day: spent.idle_s as f64 / 3_600.0 / days,
            recall: spent.warm as f64 / arrivals.max(1) as f64,
            wakes_per_day: spent.wakes as f64 / days,
        }
    };
    let mut points: Vec<FrontierPoint> =
        FRONTIER_H.into_iter().map(point).filter(|point| point.idle_h_per_day > 0.0).collect();
    points.dedup_by(|b, a| b.idle_h_per_day <= a.idle_h_per_day);
    points
}
