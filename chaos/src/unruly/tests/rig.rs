//! What these tests stand on: an unruly endpoint, and an agent's targets that are configured to call it.

use std::{collections::BTreeMap, time::Duration};

use reveille_agent::{
    config::{Driver, Endpoint, Endpoints, Expect, FromFile, HttpReadiness, Instance, Readiness, SecretText},
    driver::{Call, CallOutcome, Target, Targets},
};
use reveille_proto::clock::Clock;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::unruly::{Manner, Seen, Unruly};

pub(super) const WAKE: &str = "0190a1b2-0000-7000-8000-000000000001";

/// For what must happen; a test that waits so long has failed.
const SOON: Duration = Duration::from_secs(30);

/// How long an agent waits for an answer here, in seconds: the least that can be configured.
pub(super) const REQUEST_TIMEOUT_S: u64 = 1;

#[derive(Debug)]
pub(super) struct Rig {
    pub(super) unruly: Unruly,
    pub(super) dir: TempDir,
    pub(super) endpoint: Endpoint,
}

impl Rig {
    pub(super) async fn new(manner: Manner) -> Self {
        let unruly = Unruly::start(Clock::system(), Duration::ZERO).await.expect("a port");
        unruly.post(manner, None);
        let endpoint = Endpoint {
            url: unruly.wake_url("dev1"),
            request_timeout_s: REQUEST_TIMEOUT_S,
            ..Endpoint::default()
        };
        Self { unruly, dir: tempfile::tempdir().expect("a directory"), endpoint }
    }

    /// The answer must be JSON.
    pub(super) fn expecting_json(mut self) -> Self {
        self.endpoint.expect = Expect { json: true, ..Expect::default() };
        self
    }

    /// The token comes from this file.
    pub(super) fn with_token_file(mut self, text: &str) -> Self {
        let from_file = self.dir.path().join("token");
        std::fs::write(&from_file, text).expect("written");
        let secret = SecretText::File(FromFile { from_file });
        self.endpoint.headers = BTreeMap::from([("X-Token".to_owned(), secret)]);
        self
    }

    /// As the agent makes them from its configuration.
    pub(super) fn targets(&self) -> Targets {
        let readiness = HttpReadiness {
            url: self.unruly.page_url("dev1"),
            headers: BTreeMap::new(),
            expect: Expect { body_contains: Some("instance dev1".into()), ..Expect::default() },
            successes: 1,
            interval_ms: 20,
            request_timeout_s: 5,
        };
        let instance = Instance {
            id: "dev1".parse().expect("valid"),
            cohort: String::new(),
            driver: Driver::Http(self.endpoint.clone()),
            readiness: Readiness::Http(readiness),
            status: None,
        };
        let endpoints = Endpoints { retry_after_max_s: 600, ..Endpoints::default() };
        Target::all(&[instance], &endpoints, self.dir.path(), &Clock::system(), None, None).expect("valid")
    }

    /// One call of the real driver.
    pub(super) async fn call(&self) -> CallOutcome {
        call(&self.targets()).await
    }

    /// The request that is over, when it is.
    pub(super) async fn seen(&self) -> Seen {
        let look = async {
            loop {
                if let Some(seen) = self.unruly.seen().into_iter().next() {
                    return seen;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, look).await.expect("the request is over soon")
    }

    /// How many calls took effect.
    pub(super) fn effects(&self) -> usize {
        self.unruly.effects().len()
    }

    pub(super) fn hits(&self) -> u64 {
        self.unruly.proofs().iter().map(|proof| proof.hits).sum()
    }
}

pub(super) async fn call(targets: &Targets) -> CallOutcome {
    let call = Call {
        wake: WAKE.parse().expect("valid"),
        instance: "dev1".parse().expect("valid"),
        idempotency_key: "key-1".into(),
    };
    targets[&call.instance].driver.call(&call).await
}

pub(super) fn is_unknown(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Unknown { .. })
}
