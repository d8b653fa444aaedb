//! Fits the first look: a line that tells nearly all scores that reach a threshold from most that do not.

use super::logistic::{Standard, logistic};
use crate::model::{
    features,
    screen::{COUNT, Cut, Glance, Screen},
};

/// Share of the scores that reach a threshold which may be missed: they are woken a quarter hour later, or not.
const MISSED: f64 = 0.002;

/// Fits to scores. The line is the one that tells best who reaches `aim`; `thresholds` are those it is to be asked for,
/// the lowest first. `None` when no score reaches any.
pub fn screen(glances: &[Glance], scores: &[f32], aim: f32, thresholds: &[f32]) -> Option<Screen> {
    let row = |glance: &Glance| {
        let mut row = [0.0; features::COUNT];
        row[..COUNT].copy_from_slice(glance);
        row
    };
    let rows: Vec<_> = glances.iter().map(row).collect();
    let labels: Vec<bool> = scores.iter().map(|score| *score >= aim).collect();
    let head = logistic(&rows, &Standard::of(&rows, |i| i < COUNT), &labels, &vec![1.0; rows.len()]);
    let mut screen = Screen { weights: std::array::from_fn(|i| head.weights[i]), cuts: Vec::new() };
    let mut lines: Vec<(f32, f32)> =
        glances.iter().zip(scores).map(|(glance, score)| (screen.line(glance), *score)).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    // From the highest on, so that a cut is no higher than those after it: what is let pass by a high threshold is by a
    // low one.
    let mut lowest = f32::INFINITY;
    for threshold in thresholds.iter().rev() {
        let reach = lines.iter().filter(|(_, score)| score >= threshold);
        let missed = (reach.clone().count() as f64 * MISSED) as usize;
        let Some((line, _)) = reach.clone().nth(missed) else { continue };
        lowest = lowest.min(*line);
        if screen.cuts.last().is_none_or(|last| *threshold < last.threshold) {
            screen.cuts.push(Cut { threshold: *threshold, line: lowest });
        }
    }
    screen.cuts.reverse();
    (!screen.cuts.is_empty()).then_some(screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_that_reach_a_threshold_pass_and_most_others_do_not() {
        let number = |n: u64, i: u64| (n * 31 + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let even = |n: u64, i: usize| number(n, i as u64) as f32 / (1 << 24) as f32;
        let glances: Vec<Glance> = (0..6_000).map(|n| std::array::from_fn(|i| even(n, i))).collect();
        let score = |glance: &Glance| glance[0] * 3.0 - glance[1] + 0.3 * glance[2] * glance[3];
        let scores: Vec<f32> = glances.iter().map(score).collect();
        let thresholds = [0.5, 1.0, 1.5, 2.0, 99.0];
        let found = screen(&glances, &scores, 1.5, &thresholds).expect("some are reached");
        assert!(found.cuts.len() >= 3 && found.cuts.iter().all(|cut| cut.threshold < 99.0), "{found:?}");
        for threshold in [1.0, 1.5, 1.8] {
            let both = || glances.iter().zip(&scores);
            let reach = scores.iter().filter(|score| **score >= threshold).count();
            let missed = both()
                .filter(|(glance, score)| **score >= threshold && found.bound(glance) < threshold)
                .count();
            let pass = glances.iter().filter(|glance| found.bound(glance) >= threshold).count();
            assert!(missed * 500 <= reach, "{threshold}: {missed} of {reach}");
            assert!(pass < reach * 3 / 2 + 600, "{threshold}: {pass} for {reach}");
        }
        assert_eq!(screen(&glances, &scores, 1.5, &[99.0]), None);
    }
}
