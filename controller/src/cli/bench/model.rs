//! The model the bench scores with.

use std::path::Path;

use super::BenchError;
use crate::model::Fitted;

/// The one of a file, or the built-in one.
pub(super) fn model(path: Option<&Path>) -> Result<Fitted, BenchError> {
    let Some(path) = path else { return Ok(Fitted::embedded().clone()) };
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| BenchError::Model { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.into()))?;
    let fitted: Fitted = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
    fitted.check().map_err(|problem| failed(problem.into()))?;
    Ok(fitted)
}
