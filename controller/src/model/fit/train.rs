//! Fits a model to histories.

use rayon::prelude::*;

use super::{
    advantage::{Sleep, advantages, play},
    history::{Clockwork, History, Point},
    logistic::{Standard, logistic},
    network::{Lesson, network},
    screen::screen,
};
use crate::model::{
    decay::Decay,
    features::{Features, GROUPS, Group, Scene, features},
    fitted::{Fitted, FrontierPoint},
    moment::QUARTER_S,
    population::{Census, Population},
    profile::Profile,
    scorer::{waits, within_a_quarter},
    screen::{Glance, glance},
};

/// What is fitted, and how.
#[derive(Debug, Clone)]
pub struct FitRule {
    pub clockwork: Clockwork,
    /// Rows the heads are fitted on, about; the network is fitted on four times as many.
    pub rows: usize,
    /// What an idle hour costs, in arrivals that find the instance awake.
    pub price: f64,
    /// Idle hours per instance and day of the policy that the wake score improves on.
    pub budget_h: f64,
    /// Hinges of the network; 0 leaves the wake score a straight line.
    pub hinges: usize,
    /// Quarter hours that thresholds and advantages are computed over, about: of more, whole sleeps are drawn.
    pub quarters: usize,
    /// Groups of features left out, for an ablation.
    pub without: Vec<Group>,
}

/// Rows of the network to one of the heads.
const NETWORK_ROWS: usize = 4;

/// Fewer rows than so many a hinge are too few to bend by: quarter hours of one sleep tell nearly the same.
const ROWS_PER_HINGE: usize = 10_000;

/// Budgets that are told at a first look, in idle hours per instance and day, and the one it is fitted for; who spends more
/// wakes most of the fleet anyway.
const SCREENED_H: [f64; 7] = [6.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.25];
const SCREENED_AIM_H: f64 = 2.0;

/// Rounds of improvement of the wake score, by a straight line and then by a network.
const ROUNDS: usize = 3;

impl FitRule {
    pub fn new(clockwork: Clockwork) -> Self {
        Self {
            clockwork,
            rows: 500_000,
            price: 0.07,
            budget_h: 2.0,
            hinges: 48,
            quarters: 24_000_000,
            without: Vec::new(),
        }
    }
}

/// What was drawn from one history.
#[derive(Default)]
struct Past {
    sleeps: Vec<Sleep>,
    rows: Vec<Features>,
    glances: Vec<Glance>,
    wait_s: Vec<i64>,
    /// Of each row: sleep and quarter hour in it.
    places: Vec<(u32, u32)>,
}

/// Rows of all histories.
struct Table {
    rows: Vec<Features>,
    glances: Vec<Glance>,
    wait_s: Vec<i64>,
}

/// Fits all heads. `prior` is shrunk toward where little was counted. `None` when nothing can be learned.
pub fn fit(
    histories: &[History],
    rule: &FitRule,
    prior: &Population,
    mut progress: impl FnMut(&str),
) -> Option<Fitted> {
    let clockwork = rule.clockwork;
    progress("counting the population");
    let mut census = Census::default();
    for history in histories {
        history.census(clockwork, &mut census);
    }
    let instance_days: usize = histories.iter().map(|history| history.days.len()).sum();
    // An instance sleeps through about 90 quarter hours of a day.
    let one_in = (instance_days * 90 / rule.quarters.max(1)).max(1);
    let drawn_days = instance_days.div_ceil(one_in);
    let rows = rule.rows * NETWORK_ROWS;
    let draw = Draw { one_in: one_in as u64, row_in: (drawn_days * 90 / rows.max(1)).max(1) as u64 };
    let walk =
        Walk { histories, clockwork, population: census.population(prior), decay: Decay::default(), draw };
    progress("computing features");
    let (mut pasts, table) = walk.pasts();
    if !table.wait_s.iter().any(|wait_s| *wait_s <= clockwork.window_s) {
        return None;
    }
    // The heads are straight lines: few numbers, for which fewer rows do.
    let every = table.rows.len().div_ceil(rule.rows.max(1)).clamp(1, NETWORK_ROWS);
    let few: Vec<Features> = table.rows.iter().step_by(every).copied().collect();
    let standard = Standard::of(&few, |i| !rule.without.contains(&GROUPS[i]));
    let even = vec![1.0; few.len()];
    let mut head = |name: &str, from_s: i64, to_s: i64| {
        progress(name);
        let waits_s = table.wait_s.iter().step_by(every);
        let labels: Vec<bool> = waits_s.map(|wait_s| (from_s..=to_s).contains(wait_s)).collect();
        logistic(&few, &standard, &labels, &even)
    };
    let mut fitted = Fitted {
        within_1h: head("fitting within 1 h", 0, 3_600),
        within_3h: head("fitting within 3 h", 0, 3 * 3_600),
        within_24h: head("fitting within 24 h", 0, 24 * 3_600),
        wake: head("fitting the first wake score", clockwork.lead_s, clockwork.window_s),
        ..Fitted::default()
    };
    let bends = table.rows.len() >= rule.hinges * ROWS_PER_HINGE && rule.hinges > 0;
    for round in 0..ROUNDS {
        progress("scoring");
        walk.rescore(&mut pasts, &fitted);
        let (labels, weights) = lesson(&pasts, rule, drawn_days);
        let straight = round == 0 || !bends;
        progress(if straight { "fitting the wake score" } else { "bending the wake score" });
        if straight {
            let labels: Vec<bool> = labels.iter().step_by(every).copied().collect();
            let weights: Vec<f32> = weights.iter().step_by(every).copied().collect();
            fitted.wake = logistic(&few, &standard, &labels, &weights);
        } else {
            let lesson =
                Lesson { rows: &table.rows, labels: &labels, weights: &weights, standard: &standard };
            fitted.network = Some(network(lesson, &fitted.wake, rule.hinges));
        }
    }
    progress("drawing the frontier");
    walk.rescore(&mut pasts, &fitted);
    let sleeps: Vec<Sleep> = pasts.into_iter().flat_map(|past| past.sleeps).collect();
    let arrivals: u64 = histories.iter().map(|history| history.arrivals(clockwork)).sum();
    let arrivals = arrivals / draw.one_in;
    fitted.frontier = frontier(&sleeps, clockwork, drawn_days, arrivals);
    let glances: Vec<Glance> = table.glances.iter().step_by(every).copied().collect();
    let scores: Vec<f32> = few.par_iter().map(|row| fitted.score(row)).collect();
    let thresholds = SCREENED_H.map(|hours| fitted.threshold(hours));
    fitted.screen = screen(&glances, &scores, fitted.threshold(SCREENED_AIM_H), &thresholds);
    fitted.population = walk.population;
    Some(fitted)
}

/// What waking would have been worth against waiting, row by row: whether it was right, and how much it mattered.
fn lesson(pasts: &[Past], rule: &FitRule, instance_days: usize) -> (Vec<bool>, Vec<f32>) {
    let sleeps: Vec<&Sleep> = pasts.iter().flat_map(|past| &past.sleeps).collect();
    let threshold = threshold_of(&sleeps, rule.clockwork, rule.budget_h, instance_days);
    let gains = |past: &Past| {
        let mut gains = Vec::with_capacity(past.places.len());
        let mut of_sleep: Option<(u32, Vec<f32>)> = None;
        for (sleep, quarter) in &past.places {
            if of_sleep.as_ref().is_none_or(|(of, _)| of != sleep) {
                let all = advantages(&past.sleeps[*sleep as usize], rule.clockwork, rule.price, threshold);
                of_sleep = Some((*sleep, all));
            }
            gains.push(of_sleep.as_ref().map_or(0.0, |(_, all)| all[*quarter as usize]));
        }
        gains
    };
    let gains: Vec<f32> = pasts.par_iter().flat_map_iter(gains).collect();
    (gains.iter().map(|gain| *gain > 0.0).collect(), gains.iter().map(|gain| gain.abs()).collect())
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

    fn makes_row(self, history: usize, point: &Point) -> bool {
        one_in((point.at_s as u64 / 900).wrapping_add(history as u64 * 7_000_003), self.row_in)
    }
}

/// One in `every` numbers, evenly: by a multiplicative hash.
fn one_in(number: u64, every: u64) -> bool {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33 <= (u64::from(u32::MAX) >> 1) / every
}

/// All histories, each gone through by itself: on all cores, with the same result on any number of them.
struct Walk<'a> {
    histories: &'a [History],
    clockwork: Clockwork,
    population: Population,
    decay: Decay,
    draw: Draw,
}

impl Walk<'_> {
    fn each(&self, index: usize, each: impl FnMut(&Point, &Profile, &Scene)) {
        let chosen = |point: &Point| self.draw.takes(index, point);
        self.histories[index].walk_scenes(self.clockwork, &self.population, chosen, each);
    }

    fn pasts(&self) -> (Vec<Past>, Table) {
        let past = |index: usize| {
            let mut past = Past::default();
            self.each(index, |point, profile, scene| {
                let quarter = place(&mut past.sleeps, point);
                if self.draw.makes_row(index, point) {
                    past.rows.push(features(profile, scene, &self.decay));
                    past.glances.push(glance(profile, scene));
                    past.wait_s.push(point.wait_s());
                    past.places.push((past.sleeps.len() as u32 - 1, quarter));
                }
            });
            past
        };
        let mut pasts: Vec<Past> = (0..self.histories.len()).into_par_iter().map(past).collect();
        let mut table = Table { rows: Vec::new(), glances: Vec::new(), wait_s: Vec::new() };
        for past in &mut pasts {
            table.rows.append(&mut past.rows);
            table.wait_s.append(&mut past.wait_s);
            table.glances.append(&mut past.glances);
            past.rows.shrink_to_fit();
        }
        (pasts, table)
    }

    /// Scores every quarter hour anew; those at which it is better to wait get the lowest score there is.
    fn rescore(&self, pasts: &mut [Past], fitted: &Fitted) {
        pasts.par_iter_mut().enumerate().for_each(|(index, past)| {
            let score = |profile: &Profile, scene: &Scene| {
                let features = features(profile, scene, &self.decay);
                (fitted.score(&features), within_a_quarter(&fitted.within_1h, &features))
            };
            let mut looks = Vec::new();
            self.each(index, |point, profile, scene| {
                let (now, meanwhile) = score(profile, scene);
                // What the next point is not there to say: the sleep ends before it.
                let later = (point.wait_s() <= QUARTER_S).then(|| score(profile, scene.next()).0);
                looks.push(Look { now, meanwhile, later });
            });
            let mut looks = looks.as_slice();
            for sleep in &mut past.sleeps {
                let Some((own, others)) = looks.split_at_checked(sleep.scores.len()) else { return };
                for (i, (place, look)) in sleep.scores.iter_mut().zip(own).enumerate() {
                    let later = look.later.or_else(|| own.get(i + 1).map(|next| next.now));
                    let waits = later.is_some_and(|later| waits(look.now, later, look.meanwhile));
                    *place = if waits { f32::MIN } else { look.now };
                }
                looks = others;
            }
        });
    }
}

/// What is seen of a quarter hour: its score, the probability that somebody comes before the next, and the score then, if
/// nobody does.
struct Look {
    now: f32,
    meanwhile: f32,
    later: Option<f32>,
}

/// Appends the point to the sleep it goes on, or begins one; returns which quarter hour of it the point is.
fn place(sleeps: &mut Vec<Sleep>, point: &Point) -> u32 {
    let goes_on = sleeps.last().is_some_and(|sleep| {
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

/// The threshold that costs `budget_h` idle hours per instance-day.
pub fn threshold_at(sleeps: &[Sleep], clockwork: Clockwork, budget_h: f64, instance_days: usize) -> f32 {
    let sleeps: Vec<&Sleep> = sleeps.iter().collect();
    threshold_of(&sleeps, clockwork, budget_h, instance_days)
}

fn threshold_of(sleeps: &[&Sleep], clockwork: Clockwork, budget_h: f64, instance_days: usize) -> f32 {
    let (mut low, mut high) = (-20.0f32, 20.0f32);
    for _ in 0..24 {
        let middle = low.midpoint(high);
        let idle_s = play(sleeps.iter().copied(), clockwork, middle).idle_s;
        if idle_s as f64 / 3_600.0 > budget_h * instance_days as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
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

#[cfg(test)]
mod tests;
