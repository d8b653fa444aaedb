//! Asks a controller over HTTP; what comes back is its own JSON, or an error that says what to do next.

use std::{path::Path, time::Duration};

use reqwest::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{failure::Failure, target::Target};
use crate::api::Problem;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A little more than the controller itself gives a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);

/// A way to one controller.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    target: Target,
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let unusable = |error: anyhow::Error| {
        Failure::File(error.context(format!("failed to read certificates from {}", path.display())))
    };
    let pem = std::fs::read(path).map_err(|error| unusable(error.into()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.into()))?;
    if found.is_empty() {
        return Err(unusable(anyhow::anyhow!("there is none in it")));
    }
    Ok(found)
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer(pub(super) String);

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.0).map_err(|error| {
            let context = "failed to read the controller's answer; is it of another version?";
            Failure::Internal(anyhow::Error::new(error).context(context))
        })
    }
}

impl Client {
    pub(super) fn new(target: Target) -> Result<Self, Failure> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("reveille/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &target.ca_file {
            http = http.tls_certs_only(authorities(path)?);
        }
        let http = http.build().map_err(Failure::internal)?;
        Ok(Self { http, target })
    }

    /// `path` is given in segments, which are percent-encoded here.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.request(Method::GET, url)).await
    }

    pub(super) async fn send_body(
        &self,
        method: Method,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, Failure> {
        self.send(self.http.request(method, self.url(path)).json(body)).await
    }

    fn url(&self, path: &[&str]) -> reqwest::Url {
        let mut url = self.target.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        if let Some(token) = &self.target.token {
            request = request.bearer_auth(&token.0);
        }
        if let Some(user) = user() {
            request = request.header("x-reveille-user", user);
        }
        let unreachable = |source: reqwest::Error| {
            let address = self.target.address.as_str().trim_end_matches('/').to_owned();
            Failure::Unreachable { address, source: source.without_url() }
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let is_problem = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
        let body = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(Answer(body));
        }
        let problem = is_problem.then(|| serde_json::from_str::<Problem>(&body).ok()).flatten();
        Err(self.refused(status, problem))
    }

    fn refused(&self, status: StatusCode, problem: Option<Problem>) -> Failure {
        let Some(problem) = problem else {
            let address = &self.target.address;
            return Failure::Internal(anyhow::anyhow!(
                "{address} answered {status}: is it a Reveille controller?"
            ));
        };
        let detail = problem.detail;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let place = &self.target.token_place;
                let said = if self.target.token.is_some() { "was read from" } else { "was looked for in" };
                Failure::NotPermitted(format!(
                    "{detail}; a token {said} {place}; name another with --token-file"
                ))
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Failure::Input(detail),
            StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => {
                Failure::No(detail)
            }
            _ => Failure::Internal(anyhow::anyhow!("the controller answered {status}: {detail}")),
        }
    }
}

/// Who types, for the controller's record.
fn user() -> Option<header::HeaderValue> {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok()?;
    header::HeaderValue::from_str(name.trim()).ok().filter(|value| !value.is_empty() && value.len() <= 100)
}
