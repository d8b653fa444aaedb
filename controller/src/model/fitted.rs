//! The fitted model: what to wake on, how likely an arrival is, and what a threshold costs.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{
    features::Features, head::Head, network::Network, population::Population, screen::Screen,
    stays::QUARTERS_PER_DAY,
};

/// A fitted model. All heads look at the same features. The default is one that wakes nobody: it has no frontier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The score to wake on: fitted to what a wake is worth against waiting. Not a probability.
    pub wake: Head,
    /// What is woken on instead, if there was enough to fit one: it bends where the other is a straight line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Tells at a first look which instances cannot reach a threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<Screen>,
    /// Probability of an arrival within 1 h, 3 h and 24 h.
    pub within_1h: Head,
    pub within_3h: Head,
    pub within_24h: Head,
    pub population: Population,
    /// What thresholds cost on the data fitted, cheapest first.
    pub frontier: Vec<FrontierPoint>,
}

/// One threshold and what it cost and brought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontierPoint {
    pub threshold: f32,
    /// Hours awake without a user because of wakes, per instance and day.
    pub idle_h_per_day: f64,
    /// Share of the arrivals that found the instance awake.
    pub recall: f64,
    pub wakes_per_day: f64,
}

const EMBEDDED_JSON: &str = include_str!("default_model.json");

/// A test reads it; without one nobody would be woken.
static EMBEDDED: LazyLock<Fitted> = LazyLock::new(|| serde_json::from_str(EMBEDDED_JSON).unwrap_or_default());

impl Fitted {
    /// The model to begin with, before there is a past of one's own to fit to.
    ///
    /// It was fitted with [`super::fit::fit`] and the rule of [`super::fit::FitRule::new`] on both of two public
    /// communities of developers, the times of whose commits stand for the times they use their instances: an
    /// instance-day counts when the instance was used on 5 of the 30 days before, hibernation comes after 2 h, a
    /// wake serves after 300 s and waits 3 h. Numbers are rounded to 5 digits. Its frontier is that of both together.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Says what is wrong with a model that somebody may have changed by hand.
    pub fn check(&self) -> Result<(), String> {
        let is_share = |share: &f32| (0.0..=1.0).contains(share);
        let Population { day_share, working, resting, .. } = &self.population;
        for (name, shares) in [("working", working), ("resting", resting)] {
            if shares.len() != QUARTERS_PER_DAY as usize || !shares.iter().all(is_share) {
                return Err(format!("population.{name} must hold {QUARTERS_PER_DAY} shares within 0..=1"));
            }
        }
        if !day_share.iter().all(is_share) {
            return Err("population.day_share must hold shares within 0..=1".into());
        }
        if self.frontier.is_empty() {
            return Err("frontier is empty: no threshold is known to cost anything".into());
        }
        let is_good = |point: &FrontierPoint| {
            point.threshold.is_finite() && point.idle_h_per_day > 0.0 && (0.0..=1.0).contains(&point.recall)
        };
        if let Some(n) = self.frontier.iter().position(|point| !is_good(point)) {
            return Err(format!(
                "frontier[{n}] is none: a finite threshold, hours above 0 and a recall within 0..=1"
            ));
        }
        if !self
            .frontier
            .is_sorted_by(|a, b| a.idle_h_per_day <= b.idle_h_per_day && a.threshold >= b.threshold)
        {
            return Err("frontier must begin with the highest threshold and the fewest hours".into());
        }
        match &self.network {
            Some(network) if !network.sees_something() => {
                Err("network.per_spread must not be 0 throughout".into())
            }
            _ => Ok(()),
        }
    }

    /// The score to wake on.
    pub fn score(&self, features: &Features) -> f32 {
        self.network.as_ref().map_or_else(|| self.wake.score(features), |network| network.score(features))
    }

    /// What each feature adds to the score, against features that are usual.
    pub fn contributions(&self, features: &Features, usual: &Features) -> Features {
        match &self.network {
            Some(network) => network.contributions(features, usual),
            None => std::array::from_fn(|i| self.wake.weights[i] * (features[i] - usual[i])),
        }
    }

    /// The threshold that cost `idle_h_per_day` on the data fitted, between its points by the logarithm of the cost.
    pub fn threshold(&self, idle_h_per_day: f64) -> f32 {
        let points = &self.frontier;
        let after = points.partition_point(|point| point.idle_h_per_day < idle_h_per_day);
        match (after.checked_sub(1).and_then(|i| points.get(i)), points.get(after)) {
            (Some(low), Some(high)) => {
                let span = (high.idle_h_per_day / low.idle_h_per_day).ln();
                let share = if span > 0.0 { (idle_h_per_day / low.idle_h_per_day).ln() / span } else { 0.0 };
                low.threshold + (high.threshold - low.threshold) * share as f32
            }
            (None, Some(only)) | (Some(only), None) => only.threshold,
            (None, None) => f32::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::features::COUNT;

    #[test]
    fn a_model_that_was_changed_by_hand_says_what_is_wrong() {
        assert_eq!(Fitted::embedded().check(), Ok(()));
        let wrong = |change: &dyn Fn(&mut Fitted)| {
            let mut fitted = Fitted::embedded().clone();
            change(&mut fitted);
            fitted.check().expect_err("wrong")
        };
        assert!(wrong(&|fitted| fitted.frontier.clear()).starts_with("frontier is empty"));
        assert!(wrong(&|fitted| fitted.frontier.reverse()).starts_with("frontier must begin"));
        assert!(wrong(&|fitted| fitted.frontier[1].threshold = f32::NAN).starts_with("frontier[1]"));
        assert!(wrong(&|fitted| fitted.population.working.truncate(95)).starts_with("population.working"));
        assert!(wrong(&|fitted| fitted.population.resting[3] = -1.0).starts_with("population.resting"));
        assert!(wrong(&|fitted| fitted.population.day_share[6] = 2.0).starts_with("population.day_share"));
    }

    #[test]
    fn the_embedded_model_is_read_and_its_frontier_climbs() {
        let model: Fitted = serde_json::from_str(EMBEDDED_JSON).expect("it is one");
        assert_eq!(*Fitted::embedded(), model);
        assert!(model.frontier.len() > 8);
        let climbs = |pair: &[FrontierPoint]| {
            pair[0].idle_h_per_day < pair[1].idle_h_per_day
                && pair[0].recall <= pair[1].recall
                && pair[0].threshold >= pair[1].threshold
        };
        assert!(model.frontier.windows(2).all(climbs));
        assert!(model.threshold(1.0) > model.threshold(4.0));
    }

    fn point(threshold: f32, idle_h_per_day: f64) -> FrontierPoint {
        FrontierPoint { threshold, idle_h_per_day, recall: 0.5, wakes_per_day: 1.0 }
    }

    #[test]
    fn a_threshold_lies_between_two_points_by_the_logarithm_of_their_cost() {
        let fitted = Fitted {
            frontier: vec![point(2.0, 1.0), point(1.0, 4.0), point(-1.0, 8.0)],
            ..Fitted::default()
        };
        for (idle_h, threshold) in [
            (0.5, 2.0),
            (1.0, 2.0),
            (2.0, 1.5),
            (4.0, 1.0),
            (4.0 * 2f64.powf(0.25), 0.5),
            (8.0, -1.0),
            (9.0, -1.0),
        ] {
            assert!(
                (fitted.threshold(idle_h) - threshold).abs() < 1e-5,
                "{idle_h}: {}",
                fitted.threshold(idle_h)
            );
        }
        assert!(Fitted::default().threshold(1.0).is_infinite(), "without a frontier nobody is woken");
    }

    #[test]
    fn what_a_straight_score_gains_is_each_weight_times_how_far_its_feature_is_from_usual() {
        let mut fitted = Fitted::default();
        fitted.wake.intercept = 0.25;
        (fitted.wake.weights[1], fitted.wake.weights[3]) = (2.0, -1.0);
        let (mut features, mut usual) = ([1.0; COUNT], [1.0; COUNT]);
        (features[1], usual[1], features[3]) = (3.5, 0.5, 5.0);
        let mut expected = [0.0; COUNT];
        (expected[1], expected[3]) = (6.0, -4.0);
        let gains = fitted.contributions(&features, &usual);
        assert_eq!(gains.map(f32::to_bits), expected.map(f32::to_bits));
        assert!((fitted.score(&features) - (0.25 + 7.0 - 5.0)).abs() < 1e-6);
    }

    #[test]
    fn the_bounds_of_a_model_are_within_it() {
        let with = |change: &dyn Fn(&mut Fitted)| {
            let mut fitted = Fitted::embedded().clone();
            change(&mut fitted);
            fitted.check()
        };
        let same = |fitted: &mut Fitted| fitted.frontier = vec![point(1.0, 2.0), point(1.0, 2.0)];
        assert_eq!(with(&same), Ok(()), "as high and as dear");
        let free = with(&|fitted| fitted.frontier = vec![point(1.0, 0.0)]).expect_err("for nothing");
        assert!(free.starts_with("frontier[0]"), "{free}");
        let sure = with(&|fitted| fitted.frontier[0].recall = 1.5).expect_err("more than all");
        assert!(sure.starts_with("frontier[0]"), "{sure}");
        let dear = |fitted: &mut Fitted| fitted.frontier = vec![point(1.0, 2.0), point(2.0, 3.0)];
        assert!(
            with(&dear).expect_err("a higher threshold that costs more").starts_with("frontier must begin")
        );
        let cheap = |fitted: &mut Fitted| fitted.frontier = vec![point(2.0, 3.0), point(1.0, 2.0)];
        assert!(
            with(&cheap).expect_err("a lower threshold that costs less").starts_with("frontier must begin")
        );
        let blind = Network::line(0.0, [0.0; COUNT], [0.0; COUNT], [0.0; COUNT]);
        let blind = with(&|fitted| fitted.network = Some(blind.clone())).expect_err("sees nothing");
        assert!(blind.starts_with("network.per_spread"), "{blind}");
        assert_eq!(with(&|fitted| fitted.network = None), Ok(()));
    }
}
