//! What the model sees and says of one instance.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What speaks for or against an arrival.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReasonView {
    /// `rates`, `week`, `days`, `today`, `idle` or `calendar`.
    pub group: String,
    /// What the group looks at, in words.
    pub words: String,
    /// To the score, against what is usual in the fleet; above 0 speaks for an arrival.
    pub adds: f32,
    /// The feature of the group that matters most.
    pub strongest: String,
}

/// A likely time of the week ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlotView {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of an arrival within the hour, if nobody came before, 0-1.
    pub probability: f64,
}

/// What the model sees and says of one instance at one time, as if it slept then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainView {
    pub instance_id: String,
    pub model_version: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The zone its profile was learned in.
    pub time_zone: String,
    /// On how many days its user came within 3 h of this time, in words.
    pub habit: String,
    /// Woken from `threshold` on. Not a probability.
    pub score: f32,
    /// What the idle budget buys at present.
    pub threshold: f32,
    /// Of an arrival within 1, 3 and 24 h, 0-1.
    pub within_1h: f64,
    pub within_3h: f64,
    pub within_24h: f64,
    /// Seconds of waiting a wake made then is expected to spare, and hours it is expected to idle.
    pub saved_s: f64,
    pub idle_h: f64,
    /// The model alone would wake it then.
    pub model_wakes: bool,
    /// It would, were a wake a quarter hour later not worth more.
    pub waits: bool,
    /// What the newest plan does with it and why; none when `at` was given, or when there is no plan yet.
    pub plan: Option<String>,
    /// Strongest first.
    pub reasons: Vec<ReasonView>,
    /// Likeliest times of the coming week, in order of time.
    pub next: Vec<SlotView>,
    /// The local day that `week` begins with.
    #[schema(value_type = String, format = Date)]
    pub first_day: Date,
    /// Probability of an arrival by quarter hour of seven local days; null before `at`.
    pub week: Vec<Option<f64>>,
    /// Local times of wakes that are planned, and of arrivals of the last four weeks.
    #[schema(value_type = Vec<String>)]
    pub planned_wakes: Vec<jiff::civil::DateTime>,
    #[schema(value_type = Vec<String>)]
    pub past_arrivals: Vec<jiff::civil::DateTime>,
}
