//! How good weights are on days they were not fitted on.

use serde::{Deserialize, Serialize};

use super::{
    decay::Decay,
    features::{COUNT, Features},
    fit::{
        Clockwork, History,
        advantage::{Sleep, Spent, play},
    },
    fitted::Fitted,
    population::Population,
    scorer::Scorer,
};

/// The span of the probability that is judged, in seconds.
pub const WITHIN_S: i64 = 3 * 3_600;

/// Bins of equal width that probabilities are compared with what happened in.
const BINS: usize = 20;

/// Histories that the drift of the features is measured on.
const DRIFT_HISTORIES: usize = 300;

/// How good fitted weights are, out of time: on the days after those they were fitted on.
///
/// Log-losses are means of `-ln p` of what happened, in nats, over every quarter hour an instance slept through; what
/// is judged is the probability of an arrival within 3 h.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quality {
    pub log_loss: f64,
    /// Of the weights that were in service until then, on the same quarter hours.
    pub log_loss_in_service: f64,
    /// Of the constant that fits these quarter hours best.
    pub log_loss_constant: f64,
    /// Expected calibration error over 20 bins of equal width (Naeini, Cooper and Hauskrecht, AAAI 2015): the mean
    /// distance between what was said and how often it happened, 0..=1.
    pub calibration_error: f64,
    pub calibration_error_in_service: f64,
    /// Mean over the features of the standardised difference of their means (Cohen's d, without its sign) between the
    /// days fitted and the days judged.
    pub drift: f64,
    /// What waking at the budget would have cost, in hours awake without a user per instance and day, and the share of
    /// the arrivals that would have found their instance awake.
    pub idle_h_per_day: f64,
    pub recall: f64,
    pub idle_h_per_day_in_service: f64,
    pub recall_in_service: f64,
    /// What it was judged on.
    pub instance_days: u64,
    pub days: u32,
}

/// What weights came to on histories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    pub log_loss: f64,
    pub log_loss_constant: f64,
    pub calibration_error: f64,
    pub idle_h_per_day: f64,
    pub recall: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    said: f64,
    came: f64,
    count: f64,
}

/// Sums over the quarter hours slept through.
#[derive(Debug, Default)]
struct Sums {
    loss: f64,
    bins: [Bin; BINS],
    spent: Spent,
}

impl Sums {
    fn count(&mut self, probability: f64, came: bool) {
        // What is certain and does not happen would cost infinitely much.
        let p = probability.clamp(1e-6, 1.0 - 1e-6);
        self.loss -= if came { p.ln() } else { (-p).ln_1p() };
        let bin = &mut self.bins[((p * BINS as f64) as usize).min(BINS - 1)];
        bin.said += p;
        bin.came += f64::from(u8::from(came));
        bin.count += 1.0;
    }

    fn end(&mut self, sleep: &Sleep, clockwork: Clockwork, threshold: f32) {
        let spent = play(std::iter::once(sleep), clockwork, threshold);
        self.spent.idle_s += spent.idle_s;
        self.spent.wakes += spent.wakes;
        self.spent.warm += spent.warm;
    }
}

/// Judges weights on the days of the histories; waking is judged at the threshold for `budget_h` idle hours per
/// instance and day. `None` when nobody slept, or nobody came, or everybody always did.
pub fn judge(histories: &[History], fitted: &Fitted, clockwork: Clockwork, budget_h: f64) -> Option<Judged> {
    let threshold = fitted.threshold(budget_h);
    let scorer = Scorer::new(fitted.clone());
    let decay = Decay::default();
    let mut sums = Sums::default();
    for history in histories {
        let mut sleep: Option<Sleep> = None;
        history.walk_features(clockwork, &fitted.population, &decay, |point, features| {
            sums.count(scorer.probability(features, WITHIN_S as f64), point.wait_s() <= WITHIN_S);
            let goes_on = sleep.as_ref().is_some_and(|sleep| {
                sleep.next_s == point.next_s && sleep.from_s + sleep.scores.len() as i64 * 900 == point.at_s
            });
            if !goes_on
                && let Some(over) =
                    sleep.replace(Sleep { from_s: point.at_s, next_s: point.next_s, scores: Vec::new() })
            {
                sums.end(&over, clockwork, threshold);
            }
            if let Some(sleep) = &mut sleep {
                sleep.scores.push(fitted.score(features));
            }
        });
        if let Some(over) = sleep {
            sums.end(&over, clockwork, threshold);
        }
    }
    let (count, came) =
        sums.bins.iter().fold((0.0, 0.0), |(count, came), bin| (count + bin.count, came + bin.came));
    // Whole numbers both.
    if came < 0.5 || count - came < 0.5 {
        return None;
    }
    let share = came / count;
    let days: usize = histories.iter().map(|history| history.days.len()).sum();
    let arrivals: u64 = histories.iter().map(|history| arrivals(history, clockwork)).sum();
    Some(Judged {
        log_loss: sums.loss / count,
        log_loss_constant: -(share * share.ln() + (1.0 - share) * (1.0 - share).ln()),
        calibration_error: sums.bins.iter().map(|bin| (bin.said - bin.came).abs()).sum::<f64>() / count,
        idle_h_per_day: sums.spent.idle_s as f64 / 3_600.0 / days.max(1) as f64,
        recall: sums.spent.warm as f64 / arrivals.max(1) as f64,
    })
}

/// Stays that began on the days of a history.
fn arrivals(history: &History, clockwork: Clockwork) -> u64 {
    let mut last_s = i64::MIN;
    let mut arrivals = 0;
    for (at_s, _) in &history.sightings {
        let begins = at_s.saturating_sub(last_s) >= clockwork.idle_gap_s;
        let day = at_s.div_euclid(86_400) as i32;
        arrivals += u64::from(begins && history.days.binary_search(&day).is_ok());
        last_s = *at_s;
    }
    arrivals
}

/// Sums of each feature, of its square, and how many rows.
struct Spread {
    sums: Vec<(f64, f64)>,
    count: f64,
}

impl Spread {
    fn of(histories: &[History], clockwork: Clockwork, population: &Population) -> Self {
        let mut spread = Self { sums: vec![(0.0, 0.0); COUNT], count: 0.0 };
        let decay = Decay::default();
        let every = histories.len().div_ceil(DRIFT_HISTORIES).max(1);
        for history in histories.iter().step_by(every) {
            history.walk_features(clockwork, population, &decay, |_, features: &Features| {
                for ((sum, squares), feature) in spread.sums.iter_mut().zip(features) {
                    *sum += f64::from(*feature);
                    *squares += f64::from(*feature).powi(2);
                }
                spread.count += 1.0;
            });
        }
        spread
    }

    fn mean_and_variance(&self, feature: usize) -> (f64, f64) {
        let (sum, squares) = self.sums[feature];
        let mean = sum / self.count.max(1.0);
        (mean, (squares / self.count.max(1.0) - mean * mean).max(0.0))
    }
}

/// See [`Quality::drift`]; 0 where one side is empty. Features that never vary are left out.
pub fn drift(before: &[History], after: &[History], clockwork: Clockwork, population: &Population) -> f64 {
    let (before, after) =
        (Spread::of(before, clockwork, population), Spread::of(after, clockwork, population));
    if before.count < 0.5 || after.count < 0.5 {
        return 0.0;
    }
    let shift = |feature: usize| {
        let ((mean, variance), (mean_after, variance_after)) =
            (before.mean_and_variance(feature), after.mean_and_variance(feature));
        let pooled = f64::midpoint(variance, variance_after).sqrt();
        (pooled > 1e-9).then(|| (mean - mean_after).abs() / pooled)
    };
    let shifts: Vec<f64> = (0..COUNT).filter_map(shift).collect();
    shifts.iter().sum::<f64>() / shifts.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::head::Head;

    const CLOCKWORK: Clockwork = Clockwork { idle_gap_s: 7_200, lead_s: 300, window_s: 10_800 };
    const DAY_S: i64 = 86_400;

    /// Comes at `hour` on each of 40 days; takes part in the last ten.
    fn daily(hour: i64) -> History {
        History {
            sightings: (0..40).map(|day| (day * DAY_S + hour * 3_600, 0)).collect(),
            days: (29..39).collect(),
        }
    }

    /// Says the same of everybody.
    fn constant(log_odds: f32) -> Fitted {
        let head = Head { intercept: log_odds, ..Head::default() };
        Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: Head { intercept: -20.0, ..Head::default() },
            within_3h: head.clone(),
            within_24h: head,
            population: Population::default(),
            frontier: Vec::new(),
        }
    }

    /// Each day has 96 quarter hours; asleep from the gap after the arrival to the next, that is 88 of them; within
    /// 3 h of it are 12, and the quarter hour of the arrival itself is awake.
    const SHARE: f64 = 12.0 / 88.0;

    #[test]
    fn the_right_constant_has_the_loss_of_a_constant_and_no_calibration_error() {
        let right = constant((SHARE / (1.0 - SHARE)).ln() as f32);
        let judged = judge(&[daily(9)], &right, CLOCKWORK, 1.0).expect("somebody slept and came");
        let entropy = -(SHARE * SHARE.ln() + (1.0 - SHARE) * (1.0 - SHARE).ln());
        assert!((judged.log_loss_constant - entropy).abs() < 1e-9, "{judged:?}");
        assert!((judged.log_loss - entropy).abs() < 1e-6, "{judged:?}");
        assert!(judged.calibration_error < 1e-6, "{judged:?}");
        assert_eq!((judged.recall, judged.idle_h_per_day), (0.0, 0.0), "without a frontier nothing is woken");
    }

    #[test]
    fn a_wrong_constant_is_off_by_how_wrong_it_is() {
        let judged = judge(&[daily(9)], &constant(0.0), CLOCKWORK, 1.0).expect("judged");
        assert!((judged.log_loss - 2f64.ln()).abs() < 1e-6, "{judged:?}");
        assert!((judged.calibration_error - (0.5 - SHARE)).abs() < 1e-6, "{judged:?}");
    }

    #[test]
    fn nothing_is_said_of_nobody() {
        assert_eq!(judge(&[], &constant(0.0), CLOCKWORK, 1.0), None);
        let never = History { sightings: vec![(0, 0)], days: (5..9).collect() };
        assert_eq!(judge(&[never], &constant(0.0), CLOCKWORK, 1.0), None);
    }

    #[test]
    fn who_goes_on_as_before_drifts_less_than_who_moves() {
        let drifts =
            |after: &[History]| drift(&[daily(9), daily(10)], after, CLOCKWORK, &Population::default());
        let same = drifts(&[daily(9), daily(10)]);
        let rarer = History {
            sightings: (0..40).filter(|day| day % 9 == 0).map(|day| (day * DAY_S + 50_000, 0)).collect(),
            days: (29..39).collect(),
        };
        assert!(same < 1e-9, "{same}");
        assert!(drifts(&[rarer]) > 0.2);
        assert!(drifts(&[]).abs() < 1e-12);
    }
}
