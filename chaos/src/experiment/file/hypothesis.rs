//! What is predicted before the run, and graded after it.

use serde::{Deserialize, Serialize};

use super::comparison::Op;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// The mechanism that makes it true: what would have to be wrong in the code if it is not.
    pub because: String,
    pub predicts: Vec<Prediction>,
    /// 0 to 1; the Brier score is reckoned with it.
    pub confidence: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    pub metric: String,
    pub op: Op,
    pub value: Expected,
    pub during: During,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    Number(f64),
    /// That many times what the control run of the same seed measured.
    Ratio(RatioOfControl),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatioOfControl {
    pub ratio_of_control: f64,
}

impl Expected {
    /// The number to hold against; `None` when it needs a control that there is not.
    pub fn number(self, control: Option<f64>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Ratio(ratio) => control.map(|control| control * ratio.ratio_of_control),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum During {
    Before,
    /// While at least one fault is on.
    Fault,
    /// From the last fault's end to the recovery deadline.
    Recovery,
    After,
    Whole,
}

impl During {
    /// As files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Fault => "fault",
            Self::Recovery => "recovery",
            Self::After => "after",
            Self::Whole => "whole",
        }
    }
}
