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
