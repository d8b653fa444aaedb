//! Whether an instance serves: it answers as itself, or accepts a connection.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Method;
use tokio::net::TcpStream;

use super::{
    Probe,
    body::{self, Body, Who},
    caller::Caller,
    endpoint::headers,
};
use crate::config::{HttpReadiness, Readiness, TcpReadiness};

/// The probe the configuration asks for.
pub(super) fn probe(caller: &Caller, readiness: &Readiness) -> Box<dyn Probe> {
    match readiness.clone() {
        Readiness::Http(readiness) => Box::new(HttpProbe { caller: caller.clone(), readiness }),
        Readiness::Tcp(readiness) => Box::new(TcpProbe { readiness }),
    }
}

struct HttpProbe {
    caller: Caller,
    readiness: HttpReadiness,
}

impl Probe for HttpProbe {
    fn look(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let HttpReadiness { url, headers: wanted, expect, request_timeout_s, .. } = &self.readiness;
            let request = self.caller.request(Method::GET, url).headers(headers(wanted)?);
            let request = request.timeout(Duration::from_secs(*request_timeout_s));
            let response = self.caller.send(request).await.map_err(|e| e.problem)?;
            let status = response.status().as_u16();
            let not_itself = format!("it answered {status}, not as itself");
            if !expect.status.iter().any(|range| range.holds(status)) {
                return Err(not_itself);
            }
            match body::judge(expect, response, Who::Instance).await {
                Ok(Body::Expected) => Ok(()),
                Ok(Body::Odd | Body::Page) => Err(not_itself),
                Err(e) => Err(e.without_url().to_string()),
            }
        })
    }
}

struct TcpProbe {
    readiness: TcpReadiness,
}

impl Probe for TcpProbe {
    fn look(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let limit = Duration::from_secs(self.readiness.connect_timeout_s);
            match tokio::time::timeout(limit, TcpStream::connect(&self.readiness.address)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(e)) => Err(e.to_string()),
                Err(_) => Err("no connection in time".into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;
    use crate::driver::caller::caller_for_tests;

    fn http(url: &str, marker: &str) -> Box<dyn Probe> {
        let readiness: Readiness = toml::from_str(&format!(
            "kind = \"http\"\nurl = \"{url}\"\nexpect = {{ status = [200], body_contains = \"{marker}\" }}"
        ))
        .expect("valid");
        probe(&caller_for_tests(), &readiness)
    }

    #[tokio::test]
    async fn a_login_page_is_not_the_instance() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(
                ResponseTemplate::new(302).insert_header("location", format!("{}/login", server.uri())),
            )
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_string("I am dev7"))
            .mount(&server)
            .await;
        assert!(http(&server.uri(), "dev7").look().await.is_err(), "a redirect");
        assert!(http(&server.uri(), "dev8").look().await.is_err(), "somebody else");
        assert_eq!(http(&server.uri(), "dev7").look().await, Ok(()));
    }

    #[tokio::test]
    async fn an_instance_may_greet_with_a_login_of_its_own() {
        let server = MockServer::start().await;
        let page = "<title>dev7</title><input type=\"password\">";
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_raw(page, "text/html"))
            .mount(&server)
            .await;
        assert_eq!(http(&server.uri(), "dev7").look().await, Ok(()));
        let readiness = format!("kind = \"http\"\nurl = \"{}\"", server.uri());
        let readiness: Readiness = toml::from_str(&readiness).expect("valid");
        assert_eq!(probe(&caller_for_tests(), &readiness).look().await, Ok(()));
    }

    #[tokio::test]
    async fn tcp_serves_when_it_accepts() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let readiness =
            Readiness::Tcp(TcpReadiness { address, successes: 1, interval_ms: 10, connect_timeout_s: 5 });
        let tcp = probe(&caller_for_tests(), &readiness);
        assert_eq!(tcp.look().await, Ok(()));
        drop(listener);
        assert!(tcp.look().await.is_err());
    }
}
