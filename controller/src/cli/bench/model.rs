//! The model the bench scores with.

use std::path::Path;

use super::BenchError;
use crate::model::{Fitted, head::Head, population::Population};

/// The one of a file, or the built-in one.
pub(super) fn model(path: Option<&Path>) -> Result<Fitted, BenchError> {
    let Some(path) = path else { return Ok(made_up()) };
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| BenchError::Model { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.into()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.into()))
}

fn made_up() -> Fitted {
    let mut wake = Head::default();
    wake.weights.fill(0.05);
    Fitted {
        within_1h: wake.clone(),
        within_3h: wake.clone(),
        within_24h: wake.clone(),
        wake,
        population: Population::default(),
        frontier: vec![crate::model::fitted::FrontierPoint {
            threshold: -1.5,
            idle_h_per_day: 2.0,
            recall: 0.5,
            wakes_per_day: 1.0,
        }],
    }
}
