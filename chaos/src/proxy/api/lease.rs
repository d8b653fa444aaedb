//! A lease in a header, for clients whose bodies cannot be changed.

use axum::http::HeaderMap;

use crate::proxy::Refusal;

/// Seconds; what the body says wins.
pub(super) const LEASE_HEADER: &str = "reveille-lease-s";

pub(super) fn lease_s(in_body: Option<f64>, headers: &HeaderMap) -> Result<Option<f64>, Refusal> {
    let Some(value) = headers.get(LEASE_HEADER) else { return Ok(in_body) };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let seconds = seconds.ok_or_else(|| Refusal::BadBody(format!("{LEASE_HEADER} is no number")))?;
    Ok(in_body.or(Some(seconds)))
}
