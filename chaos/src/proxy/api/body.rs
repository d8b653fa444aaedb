//! Reads a body as JSON, whatever it says it is: clients of Toxiproxy do not always say.

use axum::body::Bytes;
use serde::de::DeserializeOwned;

use crate::proxy::Refusal;

pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::BadBody(error.to_string()))
}

/// An empty body says nothing.
pub(super) fn read_or_default<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Refusal> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { read(body) }
}
