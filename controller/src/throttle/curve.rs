//! What starting an instance costs, as learned from the starts that were measured: cores by progress.
//!
//! A start has a quiet phase, a burst and a tail. Whoever admits by what is measured now meets the bursts of all that were
//! admitted before; who knows the course of a start does not.

use serde::{Deserialize, Serialize};

/// Seconds of progress in one step of a curve.
pub const STEP_S: f64 = 5.0;
/// Steps of a curve: starts are followed for twenty minutes.
pub const STEPS: usize = 240;
/// Starts after which a curve is trusted.
pub const WAKES_KNOWN: u32 = 10;
/// A new start counts as one of so many: what changed is learned within about as many.
const MEMORY: f32 = 20.0;

/// Mean and variance over the starts of one class, in cores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub mean: f32,
    pub variance: f32,
}

/// The learned course of the starts of one class of instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartCurve {
    steps: Vec<Step>,
    wakes: u32,
}

impl StartCurve {
    /// What is assumed before anything was measured: so many cores for so long, and nobody knows how exactly.
    pub fn assumed(cores: f64, for_s: f64) -> Self {
        let step = Step { mean: cores as f32, variance: (cores * cores) as f32 };
        let length = ((for_s / STEP_S).ceil() as usize).clamp(1, STEPS);
        Self { steps: vec![step; length], wakes: 0 }
    }

    /// Starts it was learned from.
    pub fn wakes(&self) -> u32 {
        self.wakes
    }

    /// Whether it was learned from enough starts to go by it.
    pub fn is_known(&self) -> bool {
        self.wakes >= WAKES_KNOWN
    }

    /// From the given progress on.
    pub fn from(&self, progress_s: f64) -> &[Step] {
        let step = (progress_s / STEP_S) as usize;
        self.steps.get(step..).unwrap_or_default()
    }

    /// The mean at the given progress, in cores.
    pub fn cores(&self, progress_s: f64) -> f64 {
        self.from(progress_s).first().map_or(0.0, |step| f64::from(step.mean))
    }

    /// CPU of a whole start, in core-seconds.
    pub fn work_core_s(&self) -> f64 {
        self.steps.iter().map(|step| f64::from(step.mean)).sum::<f64>() * STEP_S
    }

    /// Takes in the course of one start that is over. After its end a start costs nothing: that is learned, too.
    pub fn learn(&mut self, course: &Course) {
        if self.wakes == 0 {
            // What was only assumed is forgotten.
            self.steps.clear();
        }
        let share = 1.0 / (self.wakes as f32 + 1.0).min(MEMORY);
        let length = self.steps.len().max(course.0.len()).min(STEPS);
        self.steps.resize(length, Step::default());
        for (n, step) in self.steps.iter_mut().enumerate() {
            let cores = course.0.get(n).map_or(0.0, |measured| measured.mean());
            let off = cores - step.mean;
            step.mean += share * off;
            step.variance = (1.0 - share) * (step.variance + share * off * off);
        }
        self.wakes = self.wakes.saturating_add(1);
    }
}

/// What one start was measured to cost so far, by progress.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course(Vec<Measured>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Measured {
    cores: f32,
    samples: f32,
}

impl Measured {
    fn mean(self) -> f32 {
        if self.samples > 0.0 { self.cores / self.samples } else { 0.0 }
    }
}

impl Course {
    /// It wanted so many cores at this progress. What is no number is not taken.
    pub fn saw(&mut self, progress_s: f64, cores: f64) {
        let step = (progress_s / STEP_S) as usize;
        if step >= STEPS || !cores.is_finite() {
            return;
        }
        if self.0.len() <= step {
            self.0.resize(step + 1, Measured::default());
        }
        self.0[step].cores += cores.max(0.0) as f32;
        self.0[step].samples += 1.0;
    }

    /// The same over a stretch of progress, so that a measurement of some seconds leaves no step empty.
    pub fn saw_for(&mut self, progress_s: f64, stretch_s: f64, cores: f64) {
        let mut at_s = 0.0;
        loop {
            self.saw(progress_s + at_s, cores);
            at_s += STEP_S;
            if at_s >= stretch_s {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start that uses `cores` in each of `seconds`.
    fn course(cores: f64, seconds: u32) -> Course {
        let mut course = Course::default();
        for second in 0..seconds {
            course.saw(second.into(), cores);
        }
        course
    }

    #[test]
    fn what_was_assumed_is_forgotten_with_the_first_start_and_ten_make_it_known() {
        let mut curve = StartCurve::assumed(1.0, 120.0);
        assert!((curve.work_core_s() - 120.0).abs() < 1e-6 && !curve.is_known());
        curve.learn(&course(4.0, 60));
        assert!((curve.cores(30.0) - 4.0).abs() < 1e-6 && curve.cores(90.0) < 1e-6);
        for _ in 1..10 {
            curve.learn(&course(4.0, 60));
        }
        assert!(curve.is_known() && curve.wakes() == 10);
        assert!((curve.work_core_s() - 240.0).abs() < 1e-3);
    }

    #[test]
    fn what_is_assumed_may_be_off_by_as_much_as_it_is() {
        let step = StartCurve::assumed(3.0, 5.0).from(0.0)[0];
        assert!((step.mean - 3.0).abs() < 1e-6 && (step.variance.sqrt() - 3.0).abs() < 1e-6, "{step:?}");
    }

    #[test]
    fn mean_and_variance_are_those_of_the_starts() {
        let mut curve = StartCurve::assumed(1.0, 5.0);
        for cores in [1.0, 2.0, 3.0, 6.0] {
            curve.learn(&course(cores, 5));
        }
        let step = curve.from(0.0)[0];
        assert!((step.mean - 3.0).abs() < 1e-5 && (step.variance - 3.5).abs() < 1e-5, "{step:?}");
    }

    #[test]
    fn who_ended_early_costs_nothing_later() {
        let mut curve = StartCurve::assumed(1.0, 5.0);
        curve.learn(&course(2.0, 100));
        curve.learn(&course(2.0, 20));
        assert!((curve.cores(10.0) - 2.0).abs() < 1e-6 && (curve.cores(60.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_changed_is_learned_although_much_was_known() {
        let mut curve = StartCurve::assumed(1.0, 5.0);
        for (starts, cores) in [(1_000, 1.0), (60, 3.0)] {
            for _ in 0..starts {
                curve.learn(&course(cores, 5));
            }
        }
        assert!(curve.cores(0.0) > 2.8, "{}", curve.cores(0.0));
    }

    #[test]
    fn a_long_measurement_fills_the_steps_it_spans() {
        let mut long = Course::default();
        long.saw_for(2.0, 12.0, 3.0);
        let mut curve = StartCurve::assumed(1.0, 5.0);
        curve.learn(&long);
        assert!([0.0, 5.0, 10.0].iter().all(|s| (curve.cores(*s) - 3.0).abs() < 1e-6));
        assert!(curve.from(15.0).is_empty());
    }

    #[test]
    fn a_step_in_which_nothing_was_measured_cost_nothing() {
        let mut with_a_gap = Course::default();
        with_a_gap.saw(0.0, 2.0);
        with_a_gap.saw(12.0, 2.0);
        let mut curve = StartCurve::assumed(1.0, 5.0);
        curve.learn(&with_a_gap);
        assert!((curve.cores(10.0) - 2.0).abs() < 1e-6);
        assert!(curve.cores(5.0).abs() < 1e-6, "{}", curve.cores(5.0));
    }

    #[test]
    fn nonsense_is_not_learned() {
        let mut nonsense = Course::default();
        nonsense.saw(0.0, f64::NAN);
        nonsense.saw(1e12, 3.0);
        nonsense.saw(2.0, -5.0);
        let mut curve = StartCurve::assumed(1.0, 5.0);
        curve.learn(&nonsense);
        assert!(curve.cores(0.0).abs() < 1e-6 && curve.from(1e12).is_empty());
    }
}
