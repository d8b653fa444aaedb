//! Wakes by calling the endpoint the instance's platform offers, and says soberly what the answer proves.

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use reqwest::{
    Client, Response,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use tracing::info;

use super::{Call, CallOutcome, Driver};
use crate::chain::Chain;
use crate::config::{Endpoint, Expect, SecretText};

/// As much of a body as is looked at.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(super) struct HttpDriver {
    client: Client,
    endpoint: Endpoint,
}

impl HttpDriver {
    pub(super) fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint }
    }

    async fn once(&self, endpoint: &Endpoint, call: &Call) -> CallOutcome {
        let request = match request(&self.client, endpoint, call) {
            Ok(request) => request,
            Err(detail) => return CallOutcome::NotSent { detail, retryable: false },
        };
        match self.client.execute(request).await {
            Ok(response) => judge(endpoint, response).await,
            // The connection was never made: name not found, refused, no TLS.
            Err(e) if e.is_connect() => CallOutcome::NotSent { detail: describe(e), retryable: true },
            Err(e) => CallOutcome::Unknown { detail: describe(e) },
        }
    }
}

impl Driver for HttpDriver {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            let first = self.once(&self.endpoint, call).await;
            match &self.endpoint.fallback {
                Some(fallback) if first.had_no_effect() => {
                    info!(wake_id = %call.wake, instance_id = %call.instance, "the first endpoint said no; calling the fallback");
                    self.once(fallback, call).await
                }
                _ => first,
            }
        })
    }

    /// An endpoint offers no way back.
    fn cancel<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

fn request(client: &Client, endpoint: &Endpoint, call: &Call) -> Result<reqwest::Request, String> {
    let method = reqwest::Method::from_bytes(endpoint.method.as_bytes()).map_err(|e| e.to_string())?;
    let wake_id = call.wake.to_string();
    let mut request = client
        .request(method, endpoint.url.replace("{wake_id}", &wake_id))
        .headers(headers(&endpoint.headers)?)
        .header(
            "idempotency-key",
            if call.idempotency_key.is_empty() { &wake_id } else { &call.idempotency_key },
        )
        .timeout(Duration::from_secs(endpoint.request_timeout_s));
    if let Some(body) = &endpoint.body {
        request = request.body(body.replace("{wake_id}", &wake_id));
    }
    request.build().map_err(describe)
}

/// The configured headers with their secrets, marked so that nothing prints them.
pub(super) fn headers(wanted: &BTreeMap<String, SecretText>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let text = value.reveal(&format!("headers.{name}")).map_err(|e| e.to_string())?;
        let bad = |_| format!("header {name} is malformed");
        let mut value = HeaderValue::from_str(&text).map_err(|_| format!("header {name} is malformed"))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(bad)?, value);
    }
    Ok(headers)
}

async fn judge(endpoint: &Endpoint, response: Response) -> CallOutcome {
    let status = response.status();
    let code = status.as_u16();
    if endpoint.expect.status.iter().any(|range| range.holds(code)) {
        return match answers(&endpoint.expect, response).await {
            Ok(true) => CallOutcome::Accepted,
            Ok(false) => {
                CallOutcome::Unknown { detail: format!("it answered {code} without the expected text") }
            }
            Err(e) => CallOutcome::Unknown { detail: format!("it answered {code}, then {}", describe(e)) },
        };
    }
    let detail = format!("it answered {code}");
    if status.is_redirection() || endpoint.no_effect_status.iter().any(|range| range.holds(code)) {
        // What is wrong with the request stays wrong; what is wrong with the server may pass.
        let retryable = status.is_server_error() || matches!(code, 408 | 409 | 423 | 425 | 429);
        return CallOutcome::Refused { detail, retry_after_s: retry_after_s(&response), retryable };
    }
    CallOutcome::Unknown { detail }
}

/// Whether the answer is the expected one. At most [`BODY_BYTES_MAX`] are read.
pub(super) async fn answers(expect: &Expect, mut response: Response) -> reqwest::Result<bool> {
    if !expect.status.iter().any(|range| range.holds(response.status().as_u16())) {
        return Ok(false);
    }
    let Some(marker) = &expect.body_contains else { return Ok(true) };
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        let Some(chunk) = response.chunk().await? else { break };
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(String::from_utf8_lossy(&body).contains(marker.as_str()))
}

/// Seconds only; a date would need the endpoint's clock to be ours.
fn retry_after_s(response: &Response) -> Option<u32> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The whole chain in one line, without the URL and its credentials.
fn describe(error: reqwest::Error) -> String {
    Chain(&error.without_url()).to_string()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_string, header, method, path},
    };

    use super::*;
    use crate::driver::target::client_for_tests;

    const WAKE: &str = "0190a1b2-0000-7000-8000-000000000001";

    fn call() -> Call {
        Call {
            wake: WAKE.parse().expect("valid"),
            instance: "dev7".parse().expect("valid"),
            idempotency_key: "key-1".into(),
        }
    }

    fn endpoint(url: String) -> Endpoint {
        Endpoint { url, request_timeout_s: 5, ..Endpoint::default() }
    }

    async fn outcome(endpoint: Endpoint) -> CallOutcome {
        HttpDriver::new(client_for_tests(), endpoint).call(&call()).await
    }

    async fn answering(response: ResponseTemplate) -> (MockServer, CallOutcome) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(response).mount(&server).await;
        let outcome = outcome(endpoint(server.uri())).await;
        (server, outcome)
    }

    #[tokio::test]
    async fn the_call_says_who_and_why_it_may_be_repeated() {
        let server = MockServer::start().await;
        Mock::given(method("PUT"))
            .and(path("/wake/dev7"))
            .and(header("idempotency-key", "key-1"))
            .and(header("x-key", "secret"))
            .and(body_string(format!("wake={WAKE}")))
            .respond_with(ResponseTemplate::new(202).set_body_string("started"))
            .expect(1)
            .mount(&server)
            .await;
        let endpoint = Endpoint {
            method: "PUT".into(),
            headers: [("X-Key".to_owned(), SecretText::from("secret"))].into(),
            body: Some("wake={wake_id}".into()),
            expect: Expect { body_contains: Some("started".into()), ..Expect::default() },
            ..endpoint(format!("{}/wake/dev7", server.uri()))
        };
        assert_eq!(outcome(endpoint).await, CallOutcome::Accepted);
    }

    #[tokio::test]
    async fn each_status_is_judged_by_what_it_proves() {
        let retryable = |status: u16| async move {
            match answering(ResponseTemplate::new(status).insert_header("retry-after", "7")).await.1 {
                CallOutcome::Refused { retryable, retry_after_s: Some(7), .. } => Some(retryable),
                CallOutcome::Unknown { .. } => None,
                other => panic!("{status}: {other:?}"),
            }
        };
        for (status, expected) in
            [(401, Some(false)), (404, Some(false)), (429, Some(true)), (500, Some(true)), (503, Some(true))]
        {
            assert_eq!(retryable(status).await, expected, "{status}");
        }
        assert_eq!(retryable(302).await, Some(false), "a login page");
        assert_eq!((retryable(502).await, retryable(504).await), (None, None));
    }

    #[tokio::test]
    async fn success_without_the_expected_text_proves_nothing() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_string("please log in"))
            .mount(&server)
            .await;
        let expect = Expect { body_contains: Some("started".into()), ..Expect::default() };
        let outcome = outcome(Endpoint { expect, ..endpoint(server.uri()) }).await;
        assert!(matches!(outcome, CallOutcome::Unknown { .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn nobody_listening_is_not_sent_and_leaves_the_url_out() {
        let port =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
        let outcome = outcome(endpoint(format!("http://user:hunter2@127.0.0.1:{port}/"))).await;
        assert!(matches!(outcome, CallOutcome::NotSent { retryable: true, .. }), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("hunter2"));
    }

    /// A server that takes one whole request and cuts the line, with a reset when `reset`.
    async fn cutting(reset: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut bytes = [0u8; 16];
            let read = stream.read(&mut bytes).await.expect("a request");
            assert!(read > 0);
            if !reset {
                // The rest is read, so that closing is a clean end.
                let mut rest = vec![0u8; 4096];
                let _ = stream.read(&mut rest).await;
                let _ = stream.shutdown().await;
            } // otherwise dropped with unread bytes: the kernel sends a reset
        });
        uri
    }

    #[tokio::test]
    async fn a_line_cut_after_the_request_is_unknown_and_the_fallback_stays_uncalled() {
        for reset in [true, false] {
            let server = MockServer::start().await;
            Mock::given(method("POST"))
                .respond_with(ResponseTemplate::new(200))
                .expect(0)
                .mount(&server)
                .await;
            let fallback = Some(Box::new(endpoint(server.uri())));
            let outcome = outcome(Endpoint { fallback, ..endpoint(cutting(reset).await) }).await;
            assert!(matches!(outcome, CallOutcome::Unknown { .. }), "reset {reset}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn no_answer_in_time_is_unknown() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        let outcome = outcome(Endpoint { request_timeout_s: 1, ..endpoint(uri) }).await;
        assert!(matches!(outcome, CallOutcome::Unknown { .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn the_fallback_is_called_when_the_first_said_no() {
        let (first, second) = (MockServer::start().await, MockServer::start().await);
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).expect(1).mount(&first).await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).expect(1).mount(&second).await;
        let fallback = Some(Box::new(endpoint(second.uri())));
        assert_eq!(outcome(Endpoint { fallback, ..endpoint(first.uri()) }).await, CallOutcome::Accepted);
    }
}
