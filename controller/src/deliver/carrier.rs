//! How a webhook leaves this machine: through an HTTP client, or as whoever gave the controller its seams carries it.

use std::fmt;

use futures::future::BoxFuture;
use reqwest::{Request, Response};

/// Carries requests to where their URL points.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// One request, within the [timeout](Request::timeout) it asks for. Without an answer, the error says why in a line, without
    /// the URL: it may be a secret itself.
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Response, String>>;
}
