//! A moving average that forgets with a time constant, whatever the spacing of its samples.

use jiff::Timestamp;

/// Exponentially weighted: after `smoothing_s` a step is followed by 63 %.
#[derive(Debug, Clone)]
pub struct Smooth {
    smoothing_s: f64,
    last: Option<(Timestamp, f64)>,
}

impl Smooth {
    /// `smoothing_s` of 0 smooths nothing.
    pub fn new(smoothing_s: f64) -> Self {
        Self { smoothing_s, last: None }
    }

    /// Takes a value of time `at` and gives the average.
    pub fn add(&mut self, at: Timestamp, value: f64) -> f64 {
        let average = match self.last {
            Some((before, average)) if self.smoothing_s > 0.0 => {
                let elapsed_s = at.duration_since(before).as_secs_f64().max(0.0);
                average + (value - average) * (1.0 - (-elapsed_s / self.smoothing_s).exp())
            }
            _ => value,
        };
        self.last = Some((at, average));
        average
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_step_is_followed_by_63_percent_in_one_time_constant() {
        for step_s in [1, 5] {
            let mut smooth = Smooth::new(5.0);
            assert!(smooth.add(at(0), 0.0).abs() < 1e-9);
            let mut last = 0.0;
            for second in (step_s..=5).step_by(step_s as usize) {
                last = smooth.add(at(second), 100.0);
            }
            assert!((last - 63.212).abs() < 0.01, "{last} with a step of {step_s} s");
        }
    }

    #[test]
    fn no_time_constant_is_no_smoothing() {
        let mut smooth = Smooth::new(0.0);
        smooth.add(at(0), 10.0);
        assert!((smooth.add(at(1), 90.0) - 90.0).abs() < 1e-9);
    }
}
