//! Fits the first look: a line above nearly all scores that could lead to a wake.

use nalgebra::{DMatrix, DVector};

use crate::model::screen::{COUNT, Glance, Screen};

/// How much more a score above the line counts than one below: the line is wanted above, but no higher than needed.
const ABOVE: f64 = 15.0;
const PASSES: usize = 8;
/// Share of the scores that matter which may lie above the line: they are woken a quarter hour later, or not.
const MISSED: f64 = 0.001;
const RIDGE: f64 = 1e-6;

/// Fits to scores; those below `lowest` are of no interest and count as if they were there. `None` when no score
/// is above it.
pub fn screen(glances: &[Glance], scores: &[f32], lowest: f32) -> Option<Screen> {
    let numbers = |glance: &Glance| {
        DVector::from_fn(COUNT + 1, |i, _| if i == 0 { 1.0 } else { f64::from(glance[i - 1]) })
    };
    let mut beta = DVector::<f64>::zeros(COUNT + 1);
    for pass in 0..PASSES {
        let mut normal = DMatrix::<f64>::identity(COUNT + 1, COUNT + 1) * RIDGE;
        let mut target = DVector::<f64>::zeros(COUNT + 1);
        for (glance, score) in glances.iter().zip(scores) {
            let (x, y) = (numbers(glance), f64::from(score.max(lowest)));
            let weight = if pass > 0 && y > x.dot(&beta) { ABOVE } else { 1.0 };
            normal.ger(weight, &x, &x, 1.0);
            target.axpy(weight * y, &x, 1.0);
        }
        beta = normal.cholesky()?.solve(&target);
    }
    let above = |glance: &Glance, score: &f32| f64::from(*score) - numbers(glance).dot(&beta);
    let matter = glances.iter().zip(scores).filter(|(_, score)| **score > lowest);
    let mut above: Vec<f64> = matter.map(|(glance, score)| above(glance, score)).collect();
    above.sort_by(f64::total_cmp);
    let kept = (above.len() as f64 * (1.0 - MISSED)) as usize;
    let slack = above.get(kept.min(above.len().checked_sub(1)?))?;
    let weights = std::array::from_fn(|i| beta[i + 1] as f32);
    Some(Screen { lowest, intercept: (beta[0] + slack) as f32, weights })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_scores_that_matter_lie_below_the_line() {
        let glances: Vec<Glance> = (0..5_000u16)
            .map(|n| {
                std::array::from_fn(|i| f32::from(n.wrapping_mul(2_654).rotate_left(i as u32) % 97) / 97.0)
            })
            .collect();
        let score = |glance: &Glance| glance[0] * 3.0 - glance[1] + glance[2] * glance[3];
        let scores: Vec<f32> = glances.iter().map(score).collect();
        let found = screen(&glances, &scores, 1.0).expect("some matter");
        let over = |bar: f32| glances.iter().filter(|glance| found.bound(glance) >= bar).count();
        let matter: Vec<_> = glances.iter().zip(&scores).filter(|(_, score)| **score > 1.0).collect();
        let missed = matter.iter().filter(|(glance, score)| found.bound(glance) < **score).count();
        assert!(missed * 500 < matter.len(), "{missed} of {}", matter.len());
        assert!(over(3.5) < glances.len() / 4, "and it tells them apart: {}", over(3.5));
        assert_eq!(screen(&glances, &scores, 99.0), None);
    }
}
