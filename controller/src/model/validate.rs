//! How good weights are on days they were not fitted on.

use serde::{Deserialize, Serialize};

use super::{
    decay::Decay,
    features::{COUNT, Features},
    fit::{
        Clockwork, History,
        advantage::{Sleep, play},
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
    idle_s: i64,
    /// Arrivals that found their instance awake.
    warm: u64,
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
        self.idle_s += spent.idle_s;
        self.warm += spent.warm;
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
    let arrivals: u64 = histories.iter().map(|history| history.arrivals(clockwork)).sum();
    Some(Judged {
        log_loss: sums.loss / count,
        log_loss_constant: -(share * share.ln() + (1.0 - share) * (1.0 - share).ln()),
        calibration_error: sums.bins.iter().map(|bin| (bin.said - bin.came).abs()).sum::<f64>() / count,
        idle_h_per_day: sums.idle_s as f64 / 3_600.0 / days.max(1) as f64,
        recall: sums.warm as f64 / arrivals.max(1) as f64,
    })
}

/// Sums of each feature and of its square, and how many rows.
struct Spread {
    /// What the sums count from: so a feature that never varies has a variance of 0, whatever it is.
    first: Option<Features>,
    sums: Vec<(f64, f64)>,
    count: f64,
}

impl Spread {
    fn of(histories: &[History], clockwork: Clockwork, population: &Population) -> Self {
        let mut spread = Self { first: None, sums: vec![(0.0, 0.0); COUNT], count: 0.0 };
        let decay = Decay::default();
        let every = histories.len().div_ceil(DRIFT_HISTORIES).max(1);
        for history in histories.iter().step_by(every) {
            history.walk_features(clockwork, population, &decay, |_, features: &Features| {
                let first = spread.first.get_or_insert(*features);
                for ((sum, squares), (feature, first)) in
                    spread.sums.iter_mut().zip(features.iter().zip(first))
                {
                    let off = f64::from(*feature) - f64::from(*first);
                    *sum += off;
                    *squares += off * off;
                }
                spread.count += 1.0;
            });
        }
        spread
    }

    fn mean_and_variance(&self, feature: usize) -> (f64, f64) {
        let first = self.first.map_or(0.0, |first| f64::from(first[feature]));
        let (sum, squares) = self.sums[feature];
        let off = sum / self.count.max(1.0);
        (first + off, (squares / self.count.max(1.0) - off * off).max(0.0))
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
    use crate::model::{features::NAMES, fitted::FrontierPoint, head::Head};

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

    /// Wakes whoever sleeps.
    fn eager() -> Fitted {
        let point = FrontierPoint { threshold: 0.0, idle_h_per_day: 9.0, recall: 1.0, wakes_per_day: 9.0 };
        Fitted { frontier: vec![point], ..constant(1.0) }
    }

    #[test]
    fn who_wakes_everybody_all_the_time_has_all_sleep_idle_and_finds_all_that_come() {
        // From midnight to nine on the first day, from eleven on the others to nine, and on the last to midnight in five
        // whole windows: 9 h, nine times 22 h, 15 h. On each of the ten days its user comes.
        let judged = judge(&[daily(9)], &eager(), CLOCKWORK, 1.0).expect("judged");
        assert!((judged.idle_h_per_day - 22.2).abs() < 1e-9, "{judged:?}");
        assert!((judged.recall - 1.0).abs() < 1e-9, "{judged:?}");
        // Of two, of whom the other comes once more on each day, an hour and a half later: that is the same stay.
        let mut often = daily(9);
        often.sightings.extend((0..40).map(|day| (day * DAY_S + 37_800, 0)));
        often.sightings.sort_unstable();
        let judged = judge(&[daily(9), often], &eager(), CLOCKWORK, 1.0).expect("judged");
        assert!((judged.recall - 1.0).abs() < 1e-9, "{judged:?}");
        // Its sleep begins at half past twelve: nine times 20.5 h, and 12 h on the last day, as the fourth window ends
        // after midnight.
        assert!((judged.idle_h_per_day - (222.0 + 9.0 + 184.5 + 12.0) / 20.0).abs() < 1e-9, "{judged:?}");
    }

    #[test]
    fn a_day_that_is_left_out_ends_a_sleep() {
        // Nobody from day 20 on until nine on day 24. Of the days that take part the first is idle throughout; on the
        // other it is idle until its user comes, and from eleven on in five windows.
        let mut history = daily(9);
        history.sightings.retain(|(at_s, _)| *at_s < 20 * DAY_S || *at_s == 24 * DAY_S + 32_400);
        history.days = vec![21, 24];
        let judged = judge(&[history], &eager(), CLOCKWORK, 1.0).expect("judged");
        assert!((judged.idle_h_per_day - 24.0).abs() < 1e-9, "{judged:?}");
        assert!((judged.recall - 1.0).abs() < 1e-9, "{judged:?}");
    }

    #[test]
    fn nothing_is_said_where_everybody_always_comes() {
        let always =
            History { sightings: (0..60).map(|n| (n * 4 * 3_600, 0)).collect(), days: (2..9).collect() };
        assert_eq!(judge(&[always], &constant(0.0), CLOCKWORK, 1.0), None);
    }

    #[test]
    fn what_was_said_is_held_against_what_came_in_twenty_bins() {
        let mut sums = Sums::default();
        for (probability, came) in [(0.12, true), (0.13, false), (0.97, true), (1.0, false), (0.0, true)] {
            sums.count(probability, came);
        }
        let bins: Vec<_> = sums.bins.iter().map(|bin| (bin.count, bin.came)).collect();
        let mut expected = [(0.0, 0.0); BINS];
        (expected[0], expected[2], expected[19]) = ((1.0, 1.0), (2.0, 1.0), (2.0, 1.0));
        assert_eq!(bins, expected);
        assert!((sums.bins[2].said - 0.25).abs() < 1e-12);
        assert!((sums.bins[19].said - 1.969_999).abs() < 1e-12);
        // What was certain and did not come, or could not be and did, costs 13.8 nats each, not infinitely much.
        let loss = 2.0 * 13.815_510_558 - (0.12 * 0.87 * 0.97_f64).ln();
        assert!((sums.loss - loss).abs() < 1e-6, "{}", sums.loss);
    }

    #[test]
    fn drift_is_the_mean_of_the_standardised_differences() {
        let (before, after) = (daily(9), {
            let mut later = daily(15);
            later.sightings.retain(|(at_s, _)| at_s / DAY_S % 3 > 0);
            later
        });
        let population = Population::default();
        let columns = |history: &History| {
            let mut columns = vec![Vec::new(); COUNT];
            history.walk_features(CLOCKWORK, &population, &Decay::default(), |_, features| {
                columns.iter_mut().zip(features).for_each(|(column, number)| column.push(f64::from(*number)));
            });
            columns
        };
        let (mut shifts, mut varying) = (0.0, 0.0);
        for (before, after) in columns(&before).iter().zip(&columns(&after)) {
            let mean = |column: &[f64]| column.iter().sum::<f64>() / column.len() as f64;
            let variance = |column: &[f64]| {
                let off = |number: &f64| (number - mean(column)).powi(2);
                column.iter().map(off).sum::<f64>() / column.len() as f64
            };
            let pooled = f64::midpoint(variance(before), variance(after)).sqrt();
            if pooled > 1e-6 {
                shifts += (mean(before) - mean(after)).abs() / pooled;
                varying += 1.0;
            }
        }
        let found = drift(&[before], &[after], CLOCKWORK, &population);
        assert!(varying > 40.0 && (found - shifts / varying).abs() < 1e-3 * found, "{found} of {varying}");
        assert!(drift(&[], &[daily(9)], CLOCKWORK, &population).abs() < 1e-12);
    }

    #[test]
    fn what_never_varies_has_no_variance_however_far_it_is_from_nothing() {
        // Known for 365 days and more, it is ln 365 throughout.
        let old =
            History { sightings: (0..400).map(|day| (day * DAY_S, 0)).collect(), days: (380..399).collect() };
        let spread = Spread::of(&[old], CLOCKWORK, &Population::default());
        let place = NAMES.iter().position(|name| *name == "known_days").expect("a feature");
        let (mean, variance) = spread.mean_and_variance(place);
        assert!((mean - 365f64.ln()).abs() < 1e-4 && variance == 0.0, "{mean} {variance}");
    }

    #[test]
    fn a_mean_and_a_variance_are_of_what_was_counted() {
        let mut first = [0.0; COUNT];
        first[3] = 10.0;
        let mut spread = Spread { first: Some(first), sums: vec![(0.0, 0.0); COUNT], count: 4.0 };
        // 10, 12, 13 and 15.
        spread.sums[3] = (10.0, 38.0);
        assert_eq!((spread.mean_and_variance(3), spread.mean_and_variance(4)), ((12.5, 3.25), (0.0, 0.0)));
    }
}
