//! How requests leave this host: through an HTTP client, or as whoever gave the agent its seams carries them.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use reqwest::{Client, Method, Request, RequestBuilder, Response};

use super::answer::describe;

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Unanswered {
    /// Whether somebody may have read it.
    pub sent: bool,
    /// In a line, without the URL and its credentials.
    pub problem: String,
}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        Self { sent: !error.is_connect(), problem: describe(error) }
    }
}

/// Carries requests to where their URL points.
pub trait Carrier: Send + Sync {
    /// One request, within the [timeout](Request::timeout) it asks for, body included; never a second time.
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Response, Unanswered>>;
}

/// Makes requests and sends them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client,
    carrier: Option<Arc<dyn Carrier>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("is_carried", &self.carrier.is_some()).finish_non_exhaustive()
    }
}

impl Caller {
    /// Over HTTP, unless somebody else carries.
    pub(super) fn new(carrier: Option<Arc<dyn Carrier>>) -> reqwest::Result<Self> {
        Ok(Self { client: http_client(carrier.is_some())?, carrier })
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Unanswered> {
        self.carry(request.build()?).await
    }

    pub(super) async fn carry(&self, request: Request) -> Result<Response, Unanswered> {
        match &self.carrier {
            None => Ok(self.client.execute(request).await?),
            Some(carrier) => carrier.carry(request).await,
        }
    }
}

/// One client for all: no redirects (a login page is not success), no second try behind our back, no connection kept
/// (one that went stale cannot be told from a call that was cut), no proxy (its answers would pass for the endpoint's).
///
/// One that only writes requests which somebody else carries needs none of the system's certificates: reading them takes longer
/// than all else that starts an agent.
fn http_client(is_carried: bool) -> reqwest::Result<Client> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = Client::builder();
    let builder = if is_carried { builder.tls_certs_only([]) } else { builder };
    builder
        .user_agent(concat!("reveille-agent/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
}

#[cfg(test)]
pub(super) fn caller_for_tests() -> Caller {
    Caller::new(None).expect("a client")
}
