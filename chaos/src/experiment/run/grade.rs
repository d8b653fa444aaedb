//! What was predicted beside what was measured.

use serde::{Deserialize, Serialize};

use super::Spans;
use crate::{
    experiment::file::{During, Experiment, Op, Prediction},
    history::Event,
    metric::measure,
};

/// One prediction, graded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    pub metric: String,
    pub op: Op,
    /// The number it was held against; `None` where that needed a control and there was none.
    pub expected: Option<f64>,
    pub during: During,
    /// `None` where the history says nothing of it.
    pub measured: Option<f64>,
    /// Of the run without faults.
    pub control: Option<f64>,
    /// `None` where either is unknown.
    pub held: Option<bool>,
}

/// Every prediction of the experiment, over the spans of the run.
pub(super) fn grade(
    experiment: &Experiment,
    events: &[Event],
    control: Option<&[Event]>,
    spans: &Spans,
) -> Vec<Graded> {
    let predictions = &experiment.reveille().hypothesis.predicts;
    predictions.iter().map(|prediction| grade_one(prediction, events, control, spans)).collect()
}

fn grade_one(prediction: &Prediction, events: &[Event], control: Option<&[Event]>, spans: &Spans) -> Graded {
    let end_s = events.last().map_or(0.0, Event::t_s);
    let span = match prediction.during {
        During::Before => (0.0, spans.fault_from_s),
        During::Fault => (spans.fault_from_s, spans.fault_to_s),
        During::Recovery => (spans.fault_to_s, spans.recovered_s),
        // What settles after the recovery is looked at with it: no run is played on for its own sake.
        During::After => (spans.fault_to_s, end_s),
        During::Whole => (0.0, end_s),
    };
    let measured = measure(&prediction.metric, events, span);
    let control = control.and_then(|events| measure(&prediction.metric, events, span));
    let expected = prediction.value.number(control);
    let held = measured.zip(expected).map(|(measured, expected)| prediction.op.holds(measured, expected));
    Graded {
        metric: prediction.metric.clone(),
        op: prediction.op,
        expected,
        during: prediction.during,
        measured,
        control,
        held,
    }
}

/// The Brier score (Brier 1950) of one forecast: the square of how far the confidence was from what came. 0 is best.
pub fn brier(confidence: f64, came_true: bool) -> f64 {
    (confidence - f64::from(u8::from(came_true))).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_in_what_comes_true_is_cheap_and_in_what_does_not_dear() {
        assert!((brier(0.8, true) - 0.04).abs() < 1e-12 && (brier(0.8, false) - 0.64).abs() < 1e-12);
    }
}
