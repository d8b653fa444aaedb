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
