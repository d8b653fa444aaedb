//! Carries an agent's requests to endpoints within this process: the same requests, the same answers, no socket.

use std::{io, time::Duration};

use axum::{Router, body::Body};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use reqwest::{Request, Response};
use reveille_agent::driver::{Carrier, Unanswered};
use reveille_proto::clock::Clock;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt as _;

/// As long as a request without a limit of its own may take.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What an endpoint puts into an answer that the caller does not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The request was never taken.
    Refused,
    /// The line was reset once the request was there.
    Cut,
    /// The line was ended in order once the request was there.
    Ended,
    /// Nothing comes, until the caller gives up.
    Silent,
}

/// The endpoints of a world.
#[derive(Debug, Clone)]
pub struct InProcess {
    router: Router,
    /// Of the machine that calls.
    clock: Option<Clock>,
}

impl InProcess {
    pub fn new(router: Router) -> Self {
        Self { router, clock: None }
    }

    /// While the machine with this clock stands still, it neither asks nor hears of an answer.
    #[must_use]
    pub fn called_by(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    async fn goes_on(&self) {
        if let Some(clock) = &self.clock {
            clock.goes_on().await;
        }
    }

    async fn answered(&self, request: Request, until: Instant) -> Result<Response, Unanswered> {
        let unanswered = |sent, problem: &str| Unanswered { sent, problem: problem.to_owned() };
        let request: http::Request<reqwest::Body> = request.try_into()?;
        let Ok(answer) = self.router.clone().oneshot(request.map(Body::new)).await;
        match answer.extensions().get::<Withheld>() {
            Some(Withheld::Refused) => return Err(unanswered(false, "connection refused")),
            // Lines within this process know one end only.
            Some(Withheld::Cut | Withheld::Ended) => {
                return Err(unanswered(true, "connection reset by peer"));
            }
            Some(Withheld::Silent) => std::future::pending().await,
            None => {}
        }
        let (parts, body) = answer.into_parts();
        // A body has what is left of the request's time.
        let late = || io::Error::new(io::ErrorKind::TimedOut, "operation timed out");
        let chunks = stream::unfold(Some(body.into_data_stream()), move |chunks| async move {
            let mut chunks = chunks?;
            match timeout_at(until, chunks.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
                Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
                Err(_) => Some((Err(late()), None)),
            }
        });
        Ok(http::Response::from_parts(parts, reqwest::Body::wrap_stream(chunks)).into())
    }
}

impl Carrier for InProcess {
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Response, Unanswered>> {
        let timeout = request.timeout().copied().unwrap_or(TIMEOUT);
        async move {
            let late = |_| Unanswered { sent: true, problem: "operation timed out".to_owned() };
            self.goes_on().await;
            let until = Instant::now() + timeout;
            let answered = timeout_at(until, self.answered(request, until)).await;
            self.goes_on().await;
            answered.map_err(late)?
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Extension,
        http::StatusCode,
        response::IntoResponse as _,
        routing::{get, post},
    };

    use super::*;

    fn world() -> InProcess {
        let silent = || async { (Extension(Withheld::Silent), StatusCode::OK).into_response() };
        let cut = || async { (Extension(Withheld::Cut), StatusCode::OK).into_response() };
        let echo = |body: String| async move { (StatusCode::ACCEPTED, format!("heard {body}")) };
        InProcess::new(
            Router::new().route("/echo", post(echo)).route("/silent", get(silent)).route("/cut", get(cut)),
        )
    }

    fn client() -> reqwest::Client {
        rustls::crypto::ring::default_provider().install_default().ok();
        reqwest::Client::new()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_answered_in_no_time() {
        let request = client().post("http://world/echo").body("wake").build().expect("a request");
        let response = world().carry(request).await.expect("answered");
        assert_eq!(response.status(), 202);
        assert_eq!(response.text().await.expect("a body"), "heard wake");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_withheld_is_an_error_that_says_whether_it_was_sent() {
        let get = |path: &str| {
            let request = client().get(format!("http://world{path}")).timeout(Duration::from_secs(5));
            request.build().expect("a request")
        };
        let world = world();
        let cut = world.carry(get("/cut")).await.expect_err("cut");
        assert!(cut.sent, "{cut}");
        let began = Instant::now();
        let silent = world.carry(get("/silent")).await.expect_err("nothing came");
        assert!(silent.sent && began.elapsed() >= Duration::from_secs(5), "{silent}");
    }
}
