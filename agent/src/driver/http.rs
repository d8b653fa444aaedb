//! Wakes by calling the endpoint the instance's platform offers, or the other one where the first certainly did nothing.

use futures::future::BoxFuture;
use reveille_proto::{clock::Clock, planted};
use tracing::info;

use super::{
    Call, CallOutcome, Driver,
    caller::Caller,
    endpoint::{Breakers, Endpoint},
};
use crate::config;

pub(super) struct HttpDriver {
    clock: Clock,
    first: Endpoint,
    fallback: Option<Endpoint>,
}

impl HttpDriver {
    /// Endpoints of the same authority share a breaker among `breakers`.
    pub(super) fn new(
        caller: &Caller,
        endpoint: &config::Endpoint,
        clock: &Clock,
        breakers: &mut Breakers,
    ) -> Self {
        let mut guarded = |config: &config::Endpoint| {
            Endpoint::new(caller.clone(), config.clone(), clock.clone(), breakers)
        };
        let (first, fallback) = (guarded(endpoint), endpoint.fallback.as_deref().map(guarded));
        Self { clock: clock.clone(), first, fallback }
    }

    async fn call(&self, call: &Call) -> CallOutcome {
        let goes_on = |outcome: &CallOutcome| {
            matches!(outcome, CallOutcome::Unknown { .. }) && planted!("fallback-after-a-lost-answer")
        };
        let first = self.first.call(call).await;
        let (first, passed_over_until) = match first {
            Ok(outcome) if !(outcome.had_no_effect() || goes_on(&outcome)) => return outcome,
            Ok(outcome) => (Some(outcome), None),
            Err(until) => (None, Some(until)),
        };
        let second = match &self.fallback {
            None => None,
            Some(fallback) => {
                info!(wake_id = %call.wake, instance_id = %call.instance, "the first endpoint said no or is passed over; the fallback's turn");
                Some(fallback.call(call).await)
            }
        };
        match (first, second) {
            (_, Some(Ok(outcome))) | (Some(outcome), _) => outcome,
            (None, second) => {
                let until = second.and_then(Result::err).into_iter().chain(passed_over_until).min();
                let wait = until.map_or(0, |until| until.duration_since(self.clock.now()).as_secs());
                CallOutcome::PassedOver { retry_after_s: u32::try_from(wait).unwrap_or(0) + 1 }
            }
        }
    }
}

impl Driver for HttpDriver {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, CallOutcome> {
        Box::pin(self.call(call))
    }

    /// An endpoint offers no way back.
    fn cancel<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
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
    use crate::{
        config::{Endpoint, Endpoints, Expect, SecretText},
        driver::caller::caller_for_tests,
    };

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

    fn driver(endpoint: &Endpoint) -> HttpDriver {
        let settings = Endpoints { breaker_failures: 2, retry_after_max_s: 600, ..Endpoints::default() };
        HttpDriver::new(&caller_for_tests(), endpoint, &Clock::system(), &mut Breakers::new(&settings))
    }

    async fn outcome(endpoint: Endpoint) -> CallOutcome {
        driver(&endpoint).call(&call()).await
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
                CallOutcome::Refused { retryable, retry_after_s, .. } => {
                    // A redirect and a refused credential are not a matter of time.
                    assert_eq!(retry_after_s, (!matches!(status, 302 | 401)).then_some(7), "{status}");
                    Some(retryable)
                }
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

    async fn server(status: u16, calls: impl Into<wiremock::Times>) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status))
            .expect(calls)
            .mount(&server)
            .await;
        server
    }

    #[tokio::test]
    async fn an_endpoint_that_keeps_failing_is_passed_over_for_all_instances() {
        let (first, second) = (server(500, 2).await, server(200, 4).await);
        let both = Endpoint {
            fallback: Some(Box::new(endpoint(second.uri()))),
            ..endpoint(format!("{}/{{wake_id}}", first.uri()))
        };
        let settings = Endpoints { breaker_failures: 2, ..Endpoints::default() };
        let mut breakers = Breakers::new(&settings);
        let client = caller_for_tests();
        let [one, other] = [(); 2].map(|()| HttpDriver::new(&client, &both, &Clock::system(), &mut breakers));
        for driver in [&one, &one, &one, &other] {
            assert_eq!(driver.call(&call()).await, CallOutcome::Accepted);
        }
    }

    #[tokio::test]
    async fn when_both_are_passed_over_nothing_is_called() {
        let (first, second) = (server(500, 2).await, server(503, 2).await);
        let fallback = Some(Box::new(endpoint(second.uri())));
        let driver = driver(&Endpoint { fallback, ..endpoint(first.uri()) });
        for _ in 0..2 {
            let outcome = driver.call(&call()).await;
            assert!(matches!(outcome, CallOutcome::Refused { retryable: true, .. }), "{outcome:?}");
        }
        let outcome = driver.call(&call()).await;
        let CallOutcome::PassedOver { retry_after_s } = outcome else { panic!("{outcome:?}") };
        assert!((1..=16).contains(&retry_after_s), "{retry_after_s}");
        assert!(outcome.had_no_effect());
    }

    #[tokio::test]
    async fn who_asks_to_wait_is_left_alone_for_as_long_within_bounds() {
        let server = MockServer::start().await;
        let date = ResponseTemplate::new(429)
            .insert_header("date", "Mon, 02 Mar 2026 08:00:00 GMT")
            .insert_header("retry-after", "Mon, 02 Mar 2026 18:00:00 GMT");
        Mock::given(method("POST")).respond_with(date).expect(1).mount(&server).await;
        let driver = driver(&endpoint(server.uri()));
        let outcome = driver.call(&call()).await;
        assert!(matches!(outcome, CallOutcome::Refused { retry_after_s: Some(600), .. }), "{outcome:?}");
        let outcome = driver.call(&call()).await;
        assert!(matches!(outcome, CallOutcome::PassedOver { retry_after_s: 590..=601 }), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_secret_that_has_rotated_is_read_again_once() {
        let (server, dir) = (MockServer::start().await, tempfile::tempdir().expect("a directory"));
        let path_of_key = dir.path().join("key");
        std::fs::write(&path_of_key, "old").expect("written");
        let rotated = path_of_key.clone();
        Mock::given(header("x-key", "old"))
            .respond_with(move |_: &wiremock::Request| {
                std::fs::write(&rotated, "new").expect("written");
                ResponseTemplate::new(401)
            })
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(header("x-key", "new"))
            .respond_with(ResponseTemplate::new(202))
            .expect(1)
            .mount(&server)
            .await;
        let secret = SecretText::File(config::FromFile { from_file: path_of_key });
        let endpoint = Endpoint { headers: [("X-Key".to_owned(), secret)].into(), ..endpoint(server.uri()) };
        assert_eq!(outcome(endpoint).await, CallOutcome::Accepted);
    }

    #[tokio::test]
    async fn a_refused_credential_is_not_tried_a_third_time_and_a_literal_not_a_second() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("key"), "wrong").expect("written");
        let from_file = config::FromFile { from_file: dir.path().join("key") };
        for (secret, calls) in [(SecretText::File(from_file), 2), (SecretText::from("wrong"), 1)] {
            let server = server(401, calls).await;
            let headers = [("X-Key".to_owned(), secret)].into();
            let outcome = outcome(Endpoint { headers, ..endpoint(server.uri()) }).await;
            assert!(matches!(outcome, CallOutcome::Refused { retryable: false, .. }), "{outcome:?}");
        }
    }
}
