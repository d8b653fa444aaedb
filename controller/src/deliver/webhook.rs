//! A signed POST, as Standard Webhooks has it; redirects are not followed, and no answer's body is read.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header::CONTENT_TYPE, redirect::Policy};

use super::{Answer, Carrier, CourierError, Parcel, retry_after::retry_after_s};
use crate::notify::Secret;

/// A receiver's endpoint.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    /// Instead of the client.
    carrier: Option<Arc<dyn Carrier>>,
    timeout: Duration,
    url: Url,
    secret: Secret,
}

impl Webhook {
    pub(super) fn new(
        url: Url,
        secret: Secret,
        timeout: Duration,
        carrier: Option<Arc<dyn Carrier>>,
    ) -> Result<Self, CourierError> {
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("reveille/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| CourierError::Client(described(error)))?;
        Ok(Self { client, carrier, timeout, url, secret })
    }

    pub(super) async fn deliver(&self, parcel: &Parcel<'_>, now: Timestamp) -> Answer {
        let Parcel { message_id, body, .. } = *parcel;
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message_id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", self.secret.sign(message_id, now, body))
            .body(body.to_owned());
        match self.sent(request).await {
            Ok(response) => judged(&response, now),
            Err(problem) => Answer::Failed { problem, retry_after_s: None, is_of_receiver: false },
        }
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, String> {
        let request = request.build().map_err(described)?;
        match &self.carrier {
            None => self.client.execute(request).await.map_err(described),
            Some(carrier) => carrier.carry(request).await,
        }
    }
}

fn judged(response: &Response, now: Timestamp) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Delivered;
    }
    if status == StatusCode::GONE {
        return Answer::Gone;
    }
    let retry_after_s = retry_after_s(response.headers(), now);
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    Answer::Failed {
        problem: format!("it answered {}", status.as_u16()),
        retry_after_s,
        is_of_receiver: is_busy && retry_after_s.is_some(),
    }
}

/// The whole chain in one line, without the URL: it may be a secret itself.
fn described(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::new(error.without_url()))
}

#[cfg(test)]
mod tests {
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn now() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().expect("a time")
    }

    async fn told(url: &str) -> Answer {
        let secret = SECRET.parse().expect("a secret");
        let url = url.parse().expect("a URL");
        let webhook = Webhook::new(url, secret, Duration::from_secs(5), None).expect("a client");
        let parcel = Parcel { message_id: "msg_1", body: "{\"type\":\"x\"}", created_at: now() };
        webhook.deliver(&parcel, now()).await
    }

    async fn answered(response: ResponseTemplate) -> Answer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(response).mount(&server).await;
        told(&format!("{}/hook?key=s3cret", server.uri())).await
    }

    fn failed(status: u16, retry_after_s: Option<u32>, is_of_receiver: bool) -> Answer {
        Answer::Failed { problem: format!("it answered {status}"), retry_after_s, is_of_receiver }
    }

    #[tokio::test]
    async fn only_2xx_is_delivered_and_410_is_for_good() {
        for status in [200, 202, 204] {
            assert_eq!(answered(ResponseTemplate::new(status)).await, Answer::Delivered, "{status}");
        }
        for status in [302, 400, 404, 500] {
            let response = ResponseTemplate::new(status).insert_header("location", "http://127.0.0.1:1/");
            assert_eq!(answered(response).await, failed(status, None, false));
        }
        assert_eq!(answered(ResponseTemplate::new(410)).await, Answer::Gone);
        let busy = |status| ResponseTemplate::new(status).insert_header("retry-after", "120");
        assert_eq!(answered(busy(429)).await, failed(429, Some(120), true));
        assert_eq!(answered(busy(500)).await, failed(500, Some(120), false));
    }

    #[tokio::test]
    async fn what_is_sent_is_signed_and_the_same_id_each_time() {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        assert_eq!(told(&server.uri()).await, Answer::Delivered);
        let request = server.received_requests().await.expect("recorded").remove(0);
        let header = |name: &str| request.headers[name].to_str().expect("text").to_owned();
        assert_eq!(
            (header("webhook-id"), header("content-type")),
            ("msg_1".into(), "application/json".into())
        );
        assert_eq!(header("webhook-timestamp"), now().as_second().to_string());
        let secret: Secret = SECRET.parse().expect("a secret");
        assert_eq!(header("webhook-signature"), secret.sign("msg_1", now(), "{\"type\":\"x\"}"));
    }

    #[tokio::test]
    async fn an_error_does_not_tell_the_address() {
        let Answer::Failed { problem, .. } = told("http://127.0.0.1:1/hook?key=s3cret").await else {
            panic!("nobody listens there");
        };
        assert!(!problem.contains("s3cret") && !problem.contains("hook"), "{problem}");
    }
}
