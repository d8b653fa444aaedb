//! The platform's word on an instance: asked over HTTP, one field of its JSON, mapped to a word of ours.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::Value;

use super::{Platform, answer::describe, body, caller::Caller, endpoint::headers};
use crate::config::{Status, StatusWord};

pub(super) struct HttpStatus {
    caller: Caller,
    status: Status,
}

impl HttpStatus {
    pub(super) fn new(caller: Caller, status: Status) -> Self {
        Self { caller, status }
    }

    async fn ask(&self) -> Result<StatusWord, String> {
        let Status { url, headers: wanted, field, values, request_timeout_s } = &self.status;
        let request = self.caller.request(Method::GET, url).headers(headers(wanted)?);
        let timeout = Duration::from_secs(*request_timeout_s);
        let response = self.caller.send(request.timeout(timeout)).await.map_err(|e| e.problem)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it answered {}", status.as_u16()));
        }
        let body = body::read(response).await.map_err(describe)?;
        let json: Value = serde_json::from_slice(&body).map_err(|_| "it answered with no JSON".to_owned())?;
        let value = match json.pointer(field) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => value.to_string(),
            Some(Value::Array(_) | Value::Object(_)) | None => {
                return Err(format!("it says nothing at {field}"));
            }
        };
        values.get(&value).copied().ok_or_else(|| {
            let shown: String = value.chars().take(40).collect();
            format!("it says {shown:?} at {field}, which is not in the configuration")
        })
    }
}

impl Platform for HttpStatus {
    fn word(&self) -> BoxFuture<'_, Result<StatusWord, String>> {
        Box::pin(self.ask())
    }
}

#[cfg(test)]
mod tests {
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{header, path},
    };

    use super::*;
    use crate::driver::caller::caller_for_tests;

    async fn word(body: ResponseTemplate) -> Result<StatusWord, String> {
        let server = MockServer::start().await;
        Mock::given(path("/status/dev7")).and(header("x-key", "k")).respond_with(body).mount(&server).await;
        let status: Status = toml::from_str(&format!(
            "url = \"{}/status/dev7\"\nheaders = {{ X-Key = \"k\" }}\nfield = \"/instance/state\"\n\
             values = {{ online = \"awake\", hibernating = \"asleep\", \"3\" = \"upgrading\", true = \"opted_out\" }}",
            server.uri()
        ))
        .expect("valid");
        HttpStatus::new(caller_for_tests(), status).word().await
    }

    fn saying(state: &Value) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(serde_json::json!({ "instance": { "state": state } }))
    }

    #[tokio::test]
    async fn a_field_is_mapped_to_a_word_whatever_its_type() {
        assert_eq!(word(saying(&"hibernating".into())).await, Ok(StatusWord::Asleep));
        assert_eq!(word(saying(&3.into())).await, Ok(StatusWord::Upgrading));
        assert_eq!(word(saying(&true.into())).await, Ok(StatusWord::OptedOut));
    }

    #[tokio::test]
    async fn what_is_not_understood_is_no_word() {
        for body in [
            saying(&"rebooting".into()),
            saying(&serde_json::json!({})),
            ResponseTemplate::new(200).set_body_string("<html>log in</html>"),
            ResponseTemplate::new(200).set_body_json(serde_json::json!({})),
            ResponseTemplate::new(503),
        ] {
            assert!(word(body).await.is_err());
        }
    }
}
