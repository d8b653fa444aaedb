//! Which API is spoken: clients choose their calls by it.

use axum::Json;
use serde::Serialize;

/// The version of Toxiproxy's API.
const API: &str = "2.12.0";

#[derive(Debug, Serialize)]
pub(super) struct Version {
    version: &'static str,
    /// Who speaks it.
    server: &'static str,
}

pub(super) async fn version() -> Json<Version> {
    Json(Version { version: API, server: concat!("reveille-chaos ", env!("CARGO_PKG_VERSION")) })
}
