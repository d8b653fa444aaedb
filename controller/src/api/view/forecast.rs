//! Who is likely to come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForecastView {
    pub instance_id: String,
    /// Of an arrival in the span, 0-1.
    pub probability: f64,
    /// In words: "active in this hour on 9 of 21 weekdays".
    pub why: String,
}

/// A page of forecasts for one span, in order of instance. Instances the model abstains from are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForecastPage {
    pub items: Vec<ForecastView>,
    pub next_page_token: String,
    /// Of the model in service.
    pub model_version: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub within_s: u64,
}
