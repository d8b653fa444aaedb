//! What the answer of a wake endpoint proves. Every answer is one of these, and nothing else follows from it.

use jiff::Timestamp;
use reqwest::Response;
use reveille_proto::planted;

use super::{
    CallOutcome,
    body::{self, Body, Who},
    caller::Unanswered,
    retry_after::retry_after_s,
};
use crate::{chain::Chain, config::Endpoint};

/// One call's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The expected status and text.
    Yes,
    /// The expected status on a page for people: somebody in between has answered.
    Page { status: u16 },
    /// The expected status without the expected text.
    Odd { status: u16 },
    /// Go elsewhere: nothing happened here.
    Redirected { status: u16 },
    /// Our credentials are not taken, or no longer.
    Unauthorized,
    /// It is asked too often; nothing happened.
    TooMany { retry_after_s: Option<u32> },
    /// It cannot now; nothing happened.
    Unavailable { status: u16, retry_after_s: Option<u32> },
    /// It will not; nothing happened.
    No { status: u16, retry_after_s: Option<u32> },
    /// A status that does not say whether anything happened.
    Unclear { status: u16 },
    /// The request was sent, and the line was cut, or time was up, before the answer was whole.
    Lost { problem: String },
    /// The connection was never made: name not found, refused, no TLS.
    NotReached { problem: String },
    /// There was no request: a secret is missing.
    NotMade { problem: String },
}

impl Answer {
    pub(super) async fn of(
        endpoint: &Endpoint,
        sent: Result<Response, Unanswered>,
        now: Timestamp,
        retry_after_max_s: u32,
    ) -> Self {
        let response = match sent {
            Ok(response) => response,
            Err(Unanswered { sent, problem }) if !sent || planted!("lost-answer-counts-as-not-sent") => {
                return Self::NotReached { problem };
            }
            Err(Unanswered { problem, .. }) => return Self::Lost { problem },
        };
        let status = response.status().as_u16();
        if endpoint.expect.status.iter().any(|range| range.holds(status)) {
            return match body::judge(&endpoint.expect, response, Who::Endpoint).await {
                Ok(Body::Expected) => Self::Yes,
                Ok(Body::Odd) => Self::Odd { status },
                Ok(Body::Page) => Self::Page { status },
                Err(e) => Self::Lost { problem: format!("it answered {status}, then {}", describe(e)) },
            };
        }
        if response.status().is_redirection() {
            return Self::Redirected { status };
        }
        if !endpoint.no_effect_status.iter().any(|range| range.holds(status)) {
            return Self::Unclear { status };
        }
        let retry_after_s = retry_after_s(response.headers(), now, retry_after_max_s);
        match status {
            401 => Self::Unauthorized,
            429 => Self::TooMany { retry_after_s },
            500.. => Self::Unavailable { status, retry_after_s },
            _ => Self::No { status, retry_after_s },
        }
    }

    /// Whether the endpoint is at fault, whichever instance it was asked for.
    pub(super) fn blames_endpoint(&self) -> bool {
        // A credential may be this instance's own.
        !matches!(self, Self::Yes | Self::No { .. } | Self::Unauthorized | Self::NotMade { .. })
    }

    /// Whether this instance could not be woken through it.
    pub(super) fn blames_instance(&self) -> bool {
        !matches!(self, Self::Yes | Self::NotMade { .. })
    }

    /// For how long it asks to be left alone, in seconds.
    pub(super) fn hold_s(&self) -> Option<u32> {
        match self {
            Self::TooMany { retry_after_s } | Self::Unavailable { status: 503, retry_after_s } => {
                retry_after_s.filter(|s| *s > 0)
            }
            _ => None,
        }
    }

    pub(super) fn outcome(self) -> CallOutcome {
        let refused = |status: u16, retry_after_s, retryable| CallOutcome::Refused {
            detail: format!("it answered {status}"),
            retry_after_s,
            retryable,
            overloaded: status >= 500,
        };
        let unknown = |detail: String| CallOutcome::Unknown { detail };
        match self {
            Self::Yes => CallOutcome::Accepted,
            Self::Page { status } => {
                unknown(format!("it answered {status} with a page for people, perhaps a login"))
            }
            Self::Odd { status } => unknown(format!("it answered {status} without the expected text")),
            Self::Unclear { status } => unknown(format!("it answered {status}")),
            Self::Lost { problem } => unknown(problem),
            Self::Redirected { status } => refused(status, None, false),
            Self::Unauthorized => refused(401, None, false),
            Self::TooMany { retry_after_s } => refused(429, retry_after_s, true),
            Self::Unavailable { status, retry_after_s } => refused(status, retry_after_s, true),
            // What is wrong with the request stays wrong; what is wrong with the moment may pass.
            Self::No { status, retry_after_s } => {
                refused(status, retry_after_s, matches!(status, 408 | 409 | 423 | 425))
            }
            Self::NotReached { problem } => CallOutcome::NotSent { detail: problem, retryable: true },
            Self::NotMade { problem } => CallOutcome::NotSent { detail: problem, retryable: false },
        }
    }
}

/// The whole chain in one line, without the URL and its credentials.
pub(super) fn describe(error: reqwest::Error) -> String {
    Chain(&error.without_url()).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;
    use crate::{config::Expect, driver::caller::caller_for_tests};

    const LOGIN: &str = "<html><form><input type=\"password\" name=\"p\"></form></html>";

    async fn sent(uri: &str, expect: &Expect) -> Answer {
        let endpoint = Endpoint { expect: expect.clone(), ..Endpoint::default() };
        let caller = caller_for_tests();
        let request = caller.request(reqwest::Method::POST, uri).timeout(Duration::from_secs(5));
        let now = "2026-03-02T08:00:00Z".parse().expect("valid");
        Answer::of(&endpoint, caller.send(request).await, now, 600).await
    }

    async fn answer(response: ResponseTemplate, expect: &Expect) -> Answer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(response).mount(&server).await;
        sent(&server.uri(), expect).await
    }

    async fn status(status: u16) -> Answer {
        answer(ResponseTemplate::new(status).insert_header("retry-after", "7"), &Expect::default()).await
    }

    #[tokio::test]
    async fn each_status_has_its_class() {
        let retry_after_s = Some(7);
        assert_eq!(status(202).await, Answer::Yes);
        assert_eq!(status(302).await, Answer::Redirected { status: 302 });
        assert_eq!(status(401).await, Answer::Unauthorized);
        assert_eq!(status(404).await, Answer::No { status: 404, retry_after_s });
        assert_eq!(status(429).await, Answer::TooMany { retry_after_s });
        assert_eq!(status(500).await, Answer::Unavailable { status: 500, retry_after_s });
        assert_eq!(status(503).await, Answer::Unavailable { status: 503, retry_after_s });
        assert_eq!(status(502).await, Answer::Unclear { status: 502 });
    }

    #[tokio::test]
    async fn a_page_where_an_endpoint_was_expected_proves_nothing() {
        let page = |text: &str| ResponseTemplate::new(200).set_body_raw(text, "text/html; charset=utf-8");
        let json = Expect { json: true, ..Expect::default() };
        let marker = Expect { body_contains: Some("started".into()), ..Expect::default() };
        let class = Answer::Page { status: 200 };
        assert_eq!(answer(page("<p>hello</p>"), &json).await, class);
        assert_eq!(answer(page("<p>hello</p>"), &marker).await, class);
        assert_eq!(answer(page(LOGIN), &Expect::default()).await, class);
        assert_eq!(answer(page("<p>started</p>"), &marker).await, Answer::Yes);
        assert_eq!(answer(page("<p>fine</p>"), &Expect::default()).await, Answer::Yes);
        assert!(matches!(class.outcome(), CallOutcome::Unknown { .. }));
    }

    #[tokio::test]
    async fn a_body_is_judged_by_what_was_expected_of_it() {
        let text = |text: &str| ResponseTemplate::new(200).set_body_string(text);
        let json = Expect { json: true, ..Expect::default() };
        assert_eq!(answer(text("{\"state\": 1}"), &json).await, Answer::Yes);
        assert_eq!(answer(text("started"), &json).await, Answer::Odd { status: 200 });
        let no_text = ResponseTemplate::new(200).set_body_raw(&b"\"\xff\xfe\""[..], "application/json");
        assert_eq!(answer(no_text, &json).await, Answer::Odd { status: 200 }, "JSON is UTF-8");
        let marker = Expect { body_contains: Some("late".into()), ..Expect::default() };
        let far = format!("{}late", "x".repeat(body::BODY_BYTES_MAX));
        assert_eq!(answer(text(&far), &marker).await, Answer::Odd { status: 200 }, "beyond the bound");
    }

    #[tokio::test]
    async fn a_connection_that_was_never_made_and_one_that_was_cut_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        let cut = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let _ = stream.read(&mut [0u8; 4096]).await;
            // The head of an answer and half its body.
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nstar").await.expect("sent");
        });
        let marker = Expect { body_contains: Some("started".into()), ..Expect::default() };
        let lost = sent(&uri, &marker).await;
        assert!(matches!(&lost, Answer::Lost { problem } if problem.contains("200")), "{lost:?}");
        cut.await.expect("served");
        assert!(matches!(sent(&uri, &marker).await, Answer::NotReached { .. }), "nobody listens any more");
    }

    #[tokio::test]
    async fn a_body_that_drips_on_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        let dripping = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let _ = stream.read(&mut [0u8; 4096]).await;
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n").await;
            while sent.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                sent = stream.write_all(b".").await;
            }
        });
        let endpoint = Endpoint {
            expect: Expect { body_contains: Some("started".into()), ..Expect::default() },
            ..Endpoint::default()
        };
        let caller = caller_for_tests();
        let request = caller.request(reqwest::Method::POST, &uri).timeout(Duration::from_secs(1));
        let now = "2026-03-02T08:00:00Z".parse().expect("valid");
        let answer = Answer::of(&endpoint, caller.send(request).await, now, 600).await;
        assert!(matches!(answer, Answer::Lost { .. }), "{answer:?}");
        dripping.await.expect("it notices");
    }

    #[test]
    fn blame_falls_on_who_is_at_fault() {
        let no = Answer::No { status: 404, retry_after_s: None };
        assert!(!no.blames_endpoint() && no.blames_instance(), "the endpoint is well");
        let lost = Answer::Lost { problem: String::new() };
        assert!(lost.blames_endpoint() && lost.blames_instance());
        let missing = Answer::NotMade { problem: String::new() };
        assert!(!missing.blames_endpoint() && !missing.blames_instance(), "it was never asked");
        assert!(!Answer::Yes.blames_endpoint() && !Answer::Yes.blames_instance());
    }
}
