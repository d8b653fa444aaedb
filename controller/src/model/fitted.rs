//! The fitted model: what to wake on, how likely an arrival is, and what a threshold costs.

use serde::{Deserialize, Serialize};

use super::{head::Head, population::Population};

/// A fitted model. All heads look at the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The score to wake on: fitted to what a wake is worth against waiting. Not a probability.
    pub wake: Head,
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

impl Fitted {
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
