//! Whether the probability of an arrival comes true, counted over every quarter hour slept through.

use serde::Serialize;

/// Bins of equal width from 0 to 1.
pub const CALIBRATION_BINS: usize = 20;

/// Forecasts and what came of them, by bins of the forecast.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    bins: [Bin; CALIBRATION_BINS],
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    count: u64,
    came: u64,
    probability_sum: f64,
}

/// One bin that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Mean of the forecast probabilities, 0 to 1.
    pub predicted_mean: f64,
    /// Share of the forecasts that came true, 0 to 1.
    pub observed_share: f64,
    pub count: u64,
}

impl Calibration {
    /// Takes a forecast (0 to 1) and whether it came true. One that is not a number is not counted.
    pub fn count(&mut self, probability: f64, came: bool) {
        if probability.is_nan() {
            return;
        }
        let index =
            (probability * CALIBRATION_BINS as f64).clamp(0.0, CALIBRATION_BINS as f64 - 1.0) as usize;
        let bin = &mut self.bins[index];
        bin.count += 1;
        bin.came += u64::from(came);
        bin.probability_sum += probability;
    }

    /// The bins that hold forecasts, the least likely first.
    pub fn reliability(&self) -> Vec<Reliability> {
        let of = |bin: &Bin| Reliability {
            predicted_mean: bin.probability_sum / bin.count as f64,
            observed_share: bin.came as f64 / bin.count as f64,
            count: bin.count,
        };
        self.bins.iter().filter(|bin| bin.count > 0).map(of).collect()
    }

    /// Expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015): the mean distance of forecast and
    /// observation, weighted by the counts. 0 to 1; `None` without a forecast.
    pub fn error(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let distance = |bin: &Bin| (bin.probability_sum - bin.came as f64).abs();
        (total > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_weighted_distance() {
        let mut calibration = Calibration::default();
        assert_eq!((calibration.error(), calibration.reliability().len()), (None, 0));
        for i in 0..10 {
            calibration.count(0.12, i < 3);
        }
        for i in 0..30 {
            calibration.count(1.0, i < 27);
        }
        calibration.count(f64::NAN, true);
        let bins = calibration.reliability();
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [10, 30]);
        assert!((bins[0].observed_share - 0.3).abs() < 1e-12 && (bins[1].predicted_mean - 1.0).abs() < 1e-12);
        let error = calibration.error().expect("has forecasts");
        assert!((error - (0.25 * 0.18 + 0.75 * 0.1)).abs() < 1e-12, "{error}");
    }
}
