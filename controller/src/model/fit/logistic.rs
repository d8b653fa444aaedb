//! Weighted logistic regression by Newton's method: convex, no step size to choose, done in a few passes.

use nalgebra::{DMatrix, DVector};

use crate::model::{
    features::{COUNT, Features},
    head::Head,
};

/// Rows of one block of the passes: large enough for fast products, small enough for the cache.
const BLOCK: usize = 512;
const PASSES_MAX: usize = 15;
const DONE: f64 = 1e-4;
/// Pull of the (standardised) weights toward zero.
const RIDGE: f64 = 1e-3;

/// Mean and spread of each feature: fitted on numbers of one size, the ridge treats all alike.
#[derive(Debug, Clone)]
pub struct Standard {
    mean: Vec<f64>,
    spread: Vec<f64>,
    keep: Vec<bool>,
}

impl Standard {
    /// `keep` says which features are used; the others get weight 0.
    pub fn of(rows: &[Features], keep: impl Fn(usize) -> bool) -> Self {
        let count = rows.len().max(1) as f64;
        let column = |i: usize| rows.iter().map(move |row| f64::from(row[i]));
        let mean: Vec<f64> = (0..COUNT).map(|i| column(i).sum::<f64>() / count).collect();
        let spread = (0..COUNT)
            .map(|i| (column(i).map(|x| (x - mean[i]).powi(2)).sum::<f64>() / count).sqrt())
            .collect();
        Self { mean, spread, keep: (0..COUNT).map(keep).collect() }
    }

    /// Whether a feature is used: one that never changes tells nothing.
    pub(super) fn uses(&self, i: usize) -> bool {
        self.keep[i] && self.spread[i] > 1e-9
    }

    fn apply(&self, row: &Features, i: usize) -> f64 {
        if self.uses(i) { (f64::from(row[i]) - self.mean[i]) / self.spread[i] } else { 0.0 }
    }

    /// Means, and 1 over the spreads; 0 for features that are not used.
    pub(super) fn parts(&self) -> (Features, Features) {
        let per_spread = |i| if self.uses(i) { (1.0 / self.spread[i]) as f32 } else { 0.0 };
        (std::array::from_fn(|i| self.mean[i] as f32), std::array::from_fn(per_spread))
    }

    /// The head for standardised features: its intercept and its weights.
    pub(super) fn fold(&self, head: &Head) -> (f32, Features) {
        let used = (0..COUNT).filter(|i| self.uses(*i));
        let shift: f64 = used.map(|i| f64::from(head.weights[i]) * self.mean[i]).sum();
        let weight =
            |i: usize| if self.uses(i) { f64::from(head.weights[i]) * self.spread[i] } else { 0.0 } as f32;
        (head.intercept + shift as f32, std::array::from_fn(weight))
    }
}

/// Fits `P(label) = 1 / (1 + exp(-score))`. `weights` says how much each row counts.
pub fn logistic(rows: &[Features], standard: &Standard, labels: &[bool], weights: &[f32]) -> Head {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum::<f64>().max(1e-9);
    let mut beta = DVector::<f64>::zeros(COUNT + 1);
    for _ in 0..PASSES_MAX {
        let mut hessian = DMatrix::<f64>::identity(COUNT + 1, COUNT + 1) * RIDGE;
        let mut gradient = &beta * RIDGE;
        for (block, rows) in rows.chunks(BLOCK).enumerate() {
            let at = block * BLOCK;
            let x = DMatrix::from_fn(COUNT + 1, rows.len(), |i, row| {
                if i == 0 { 1.0 } else { standard.apply(&rows[row], i - 1) }
            });
            let score = x.tr_mul(&beta);
            let probability = score.map(|s| 1.0 / (1.0 + (-s).exp()));
            let weight = |row: usize| f64::from(weights[at + row]) / total;
            let error = DVector::from_fn(rows.len(), |row, _| {
                (probability[row] - f64::from(u8::from(labels[at + row]))) * weight(row)
            });
            gradient += &x * error;
            let mut scaled = x.clone();
            for (row, mut column) in scaled.column_iter_mut().enumerate() {
                column *= probability[row] * (1.0 - probability[row]) * weight(row);
            }
            hessian.gemm(1.0, &scaled, &x.transpose(), 1.0);
        }
        let Some(step) = hessian.cholesky().map(|cholesky| cholesky.solve(&gradient)) else { break };
        beta -= &step;
        if step.amax() < DONE {
            break;
        }
    }
    unfold(&beta, standard)
}

/// The weights for features as they are, not standardised.
fn unfold(beta: &DVector<f64>, standard: &Standard) -> Head {
    let mut head = Head::default();
    let mut intercept = beta[0];
    for i in 0..COUNT {
        if standard.uses(i) {
            let weight = beta[i + 1] / standard.spread[i];
            intercept -= weight * standard.mean[i];
            head.weights[i] = weight as f32;
        }
    }
    head.intercept = intercept as f32;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose first features are these, the others being 7 throughout.
    fn rows(numbers: &[[f32; 3]]) -> Vec<Features> {
        let row = |numbers: &[f32; 3]| {
            let mut row = [7.0; COUNT];
            row[..3].copy_from_slice(numbers);
            row
        };
        numbers.iter().map(row).collect()
    }

    #[test]
    fn features_are_measured_by_their_mean_and_their_spread() {
        let rows = rows(&[[1.0, 5.0, 2.0], [5.0, 5.0, 2.0], [1.0, 5.0, 8.0], [5.0, 5.0, 8.0]]);
        let standard = Standard::of(&rows, |i| i != 2);
        assert_eq!((0..4).map(|i| standard.uses(i)).collect::<Vec<_>>(), [true, false, false, false]);
        let (mean, per_spread) = standard.parts();
        assert_eq!(mean[..4], [3.0, 5.0, 5.0, 7.0]);
        assert_eq!(per_spread[..4], [0.5, 0.0, 0.0, 0.0]);
        let apply = |row: usize| (0..4).map(|i| standard.apply(&rows[row], i)).collect::<Vec<_>>();
        assert_eq!((apply(0), apply(3)), (vec![-1.0, 0.0, 0.0, 0.0], vec![1.0, 0.0, 0.0, 0.0]));
        // As the standardised feature goes up by 1 where it itself goes up by 2, from a mean of 3 on.
        let mut head = Head { intercept: 1.0, weights: [0.5; COUNT] };
        head.weights[0] = 0.75;
        let (intercept, weights) = standard.fold(&head);
        assert!((intercept - 3.25).abs() < 1e-6, "{intercept}");
        assert_eq!(weights[..4], [1.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn where_no_feature_tells_anything_it_is_the_log_odds_of_the_share() {
        let rows = rows(&[[1.0; 3]; 4]);
        let standard = Standard::of(&rows, |_| true);
        // Three quarters by weight: ln 3, drawn a little toward nothing.
        let head = logistic(&rows, &standard, &[true, false, true, false], &[4.0, 1.0, 2.0, 1.0]);
        assert!((head.intercept - 1.092_792_5).abs() < 1e-5, "{}", head.intercept);
        assert!(head.weights.iter().all(|weight| weight.abs() < 1e-12));
    }

    /// More rows than a block, of which two features tell something and one does not; labels are no clear cut.
    fn noisy() -> (Vec<Features>, Vec<bool>, Vec<f32>) {
        let mut seed = 5_u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1u64 << 24) as f32
        };
        let mut all = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BLOCK + 200 {
            let numbers = [draw() * 4.0, 1.0 - draw(), 10.0 * draw()];
            all.0.extend(rows(&[numbers]));
            all.1.push(numbers[0] - 3.0 * numbers[1] + 3.0 * draw() > 2.5);
            all.2.push(0.5 + draw());
        }
        all
    }

    #[test]
    fn at_the_end_no_weight_gains_anything_by_being_another() {
        let (rows, labels, weights) = noisy();
        let standard = Standard::of(&rows, |_| true);
        let head = logistic(&rows, &standard, &labels, &weights);
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let (intercept, folded) = standard.fold(&head);
        // The slope of the loss and of the ridge, by the intercept and by each weight.
        let mut slopes = [RIDGE * f64::from(intercept), 0.0, 0.0, 0.0];
        for i in 0..3 {
            slopes[1 + i] = RIDGE * f64::from(folded[i]);
        }
        for (row, (label, weight)) in rows.iter().zip(labels.iter().zip(&weights)) {
            let off = f64::from(head.probability(row)) - f64::from(u8::from(*label));
            let off = off * f64::from(*weight) / total;
            slopes[0] += off;
            for i in 0..3 {
                slopes[1 + i] += off * standard.apply(row, i);
            }
        }
        assert!(slopes.iter().all(|slope| slope.abs() < 1e-5), "{slopes:?}");
        assert!(folded[0] > 1.0 && folded[1] < -1.0 && folded[2].abs() < 0.3, "{:?}", &folded[..3]);
    }

    #[test]
    fn a_feature_left_out_has_no_weight() {
        let (rows, labels, weights) = noisy();
        let standard = Standard::of(&rows[..100], |i| i != 0);
        let head = logistic(&rows[..100], &standard, &labels[..100], &weights[..100]);
        assert!(head.weights[0].abs() < 1e-12 && head.weights[1].abs() > 0.1);
    }
}
