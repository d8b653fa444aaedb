//! One wake endpoint of one instance: asked if its breakers allow, and once more if its secrets may have rotated.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reveille_proto::clock::Clock;

use super::{
    Call, CallOutcome,
    answer::{Answer, describe},
    breaker::Breaker,
    caller::Caller,
};
use crate::config::{self, Endpoints, SecretText};

/// Breakers of all endpoints, by authority.
#[derive(Debug)]
pub(super) struct Breakers {
    settings: Endpoints,
    by_authority: BTreeMap<String, Breaker>,
}

impl Breakers {
    pub(super) fn new(settings: &Endpoints) -> Self {
        Self { settings: settings.clone(), by_authority: BTreeMap::new() }
    }

    fn shared(&mut self, url: &str) -> Breaker {
        let settings = &self.settings;
        self.by_authority.entry(authority(url)).or_insert_with(|| Breaker::new(settings)).clone()
    }
}

/// Scheme, host and port.
fn authority(url: &str) -> String {
    let url = reqwest::Url::parse(&url.replace("{wake_id}", "0"));
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

pub(super) struct Endpoint {
    caller: Caller,
    config: config::Endpoint,
    clock: Clock,
    retry_after_max_s: u32,
    /// Of the authority, shared with other instances.
    shared: Breaker,
    /// Of this instance.
    own: Breaker,
}

impl Endpoint {
    pub(super) fn new(
        caller: Caller,
        config: config::Endpoint,
        clock: Clock,
        breakers: &mut Breakers,
    ) -> Self {
        let (shared, own) = (breakers.shared(&config.url), Breaker::new(&breakers.settings));
        let retry_after_max_s = breakers.settings.retry_after_max_s;
        Self { caller, config, clock, retry_after_max_s, shared, own }
    }

    /// Asks it once, or says when a breaker lets it be asked again.
    pub(super) async fn call(&self, call: &Call) -> Result<CallOutcome, Timestamp> {
        let now = self.clock.now();
        let own = self.own.ask(now)?;
        let shared = self.shared.ask(now)?;
        let mut answer = self.once(call).await;
        // A secret that is kept elsewhere may have been replaced since it was read: it is read again for each request.
        if answer == Answer::Unauthorized && self.has_secrets() {
            answer = self.once(call).await;
        }
        let now = self.clock.now();
        if !matches!(answer, Answer::NotMade { .. }) {
            shared.told(answer.blames_endpoint(), now);
            match answer.hold_s() {
                Some(hold_s) => own.hold(now + SignedDuration::from_secs(hold_s.into())),
                None => own.told(answer.blames_instance(), now),
            }
        }
        Ok(answer.outcome())
    }

    async fn once(&self, call: &Call) -> Answer {
        let request = match request(&self.caller, &self.config, call) {
            Ok(request) => request,
            Err(problem) => return Answer::NotMade { problem },
        };
        let sent = self.caller.carry(request).await;
        Answer::of(&self.config, sent, self.clock.now(), self.retry_after_max_s).await
    }

    fn has_secrets(&self) -> bool {
        self.config.headers.values().any(|value| !matches!(value, SecretText::Literal(_)))
    }
}

fn request(caller: &Caller, endpoint: &config::Endpoint, call: &Call) -> Result<reqwest::Request, String> {
    let method = reqwest::Method::from_bytes(endpoint.method.as_bytes()).map_err(|e| e.to_string())?;
    let wake_id = call.wake.to_string();
    let mut request = caller
        .request(method, &endpoint.url.replace("{wake_id}", &wake_id))
        .headers(headers(&endpoint.headers)?)
        .header(
            "idempotency-key",
            if call.idempotency_key.is_empty() { &wake_id } else { &call.idempotency_key },
        )
        // Of the whole: connection, answer and body.
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
