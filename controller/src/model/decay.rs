//! How much a day counts that lies so many days back, in memories of several lengths.

/// Half-lives of the memories, in days.
pub const HALF_LIVES_DAYS: [f64; LANES] = [5.0, 15.0, 45.0, 150.0];
pub const LANES: usize = 4;

/// A number for each memory, the shortest first.
pub type Lanes = [f32; LANES];

/// Days back from which on nothing counts: what the stays of a profile can span.
pub const AGE_DAYS_MAX: usize = 688;
const AGE_DAYS_SEEN: f64 = 679.0;

/// Weight of a day by its age in days. The weights of all days from one back on sum up to 1 in each memory.
#[derive(Debug, Clone)]
pub struct Decay {
    weights: Vec<[f32; LANES]>,
    /// Sum of the weights of the last `n` days.
    sums: Vec<[f32; LANES]>,
    /// Weight of a gap between stays, the newest last.
    gaps: Vec<f32>,
}

impl Default for Decay {
    fn default() -> Self {
        let lanes = |of: fn(f64, f64) -> f64| {
            let row = move |age: usize| {
                HALF_LIVES_DAYS.map(|half_life| of(0.5f64.powf(1.0 / half_life), age as f64) as f32)
            };
            (0..=AGE_DAYS_MAX).map(row).collect()
        };
        Self {
            weights: lanes(|keep, age| {
                let weight = (1.0 - keep) * keep.powf(age - 1.0);
                // Today is not over: it has no weight. Nor has what lies farther back than is seen exactly, or what
                // is so little that it would only be slow to add.
                if !(1.0..AGE_DAYS_SEEN).contains(&age) || weight < 1e-12 { 0.0 } else { weight }
            }),
            sums: lanes(|keep, age| 1.0 - keep.powf(age)),
            gaps: (0..super::stays::STAYS_MAX).rev().map(|n| 0.985f64.powi(n as i32) as f32).collect(),
        }
    }
}

impl Decay {
    pub(super) fn weights(&self) -> &[[f32; LANES]] {
        &self.weights
    }

    pub(super) fn sum(&self, days: i32) -> [f32; LANES] {
        self.sums[(days.max(0) as usize).min(AGE_DAYS_MAX)]
    }

    pub(super) fn gaps(&self) -> &[f32] {
        &self.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(value: f32, expected: f64) {
        assert!((f64::from(value) - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn a_day_counts_half_after_a_half_life_and_today_not_at_all() {
        let decay = Decay::default();
        let weights = decay.weights();
        assert_eq!(weights.len(), AGE_DAYS_MAX + 1);
        assert_eq!(weights[0].map(f32::to_bits), [0; LANES]);
        for (lane, half_life) in [5, 15, 45, 150].into_iter().enumerate() {
            assert_near(weights[1 + half_life][lane], f64::from(weights[1][lane]) / 2.0);
            assert_near(decay.sum(half_life as i32)[lane], 0.5);
            let sum: f64 = weights.iter().map(|weight| f64::from(weight[lane])).sum();
            assert!((0.95..=1.0 + 1e-6).contains(&sum), "{sum}");
            let first: f64 = weights[..=20].iter().map(|weight| f64::from(weight[lane])).sum();
            assert_near(decay.sum(20)[lane], first);
        }
        assert_near(weights[1][0], 1.0 - 0.5f64.powf(0.2));
    }

    #[test]
    fn what_lies_too_far_back_or_counts_next_to_nothing_does_not_count() {
        let decay = Decay::default();
        let counts = |age: usize| decay.weights()[age].map(|weight| weight > 0.0);
        assert_eq!(counts(678), [false, false, true, true]);
        assert_eq!(counts(679), [false; LANES]);
        // 0.129 * 2^(-(age - 1) / 5) falls below 1e-12 after 184 days.
        assert_eq!((counts(185)[0], counts(186)[0]), (true, false));
        assert_eq!(decay.sum(-1).map(f32::to_bits), [0; LANES]);
        assert_eq!(decay.sum(i32::MAX).map(f32::to_bits), decay.sum(AGE_DAYS_MAX as i32).map(f32::to_bits));
    }

    #[test]
    fn the_newest_gap_counts_whole_and_each_before_it_a_little_less() {
        let decay = Decay::default();
        let gaps = decay.gaps();
        assert_eq!(gaps.len(), super::super::stays::STAYS_MAX);
        assert_near(gaps[gaps.len() - 1], 1.0);
        assert_near(gaps[gaps.len() - 3], 0.985 * 0.985);
    }
}
