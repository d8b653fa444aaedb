//! Builds a controller with a database of its own, and asks it things.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use jiff::Timestamp;
use reveille_proto::{
    HostId, InstanceId,
    edge::{Hello, InventoryItem},
};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{
    api::{Control, http_router},
    app::{App, Seams},
    config::Config,
};

/// A controller that is asked in process.
pub(super) struct Desk {
    pub(super) app: App,
    pub(super) control: Control,
    pub(super) operator: String,
    pub(super) agent: String,
    pub(super) ready: watch::Sender<bool>,
    router: Router,
    // Removed with the desk.
    _dir: tempfile::TempDir,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts the status and that the body is a whole problem; gives it.
    pub(super) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{problem}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        problem
    }

    /// Asserts success; gives the body.
    pub(super) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }
}

impl Desk {
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_seams(Seams::production(), change).await
    }

    pub(super) async fn with_seams(seams: Seams, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.data_dir = Some(dir.path().to_owned());
        config.listen.http = ([127, 0, 0, 1], 0).into();
        config.listen.grpc = ([127, 0, 0, 1], 0).into();
        change(&mut config);
        let app = App::build(config, seams).await.unwrap();
        let secret = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap().trim().to_owned();
        let (operator, agent) = (secret("operator.token"), secret("agent.token"));
        let control = Control::new(app.shared().clone());
        let (ready, ready_watch) = watch::channel(false);
        let router = http_router(control.clone(), app.tokens(), ready_watch);
        Self { app, control, operator, agent, ready, router, _dir: dir }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.shared().clock.now()
    }

    /// A host whose agent lists these instances.
    pub(super) async fn host(&self, host: &str, instances: &[&str]) {
        let item = |id: &&str| InventoryItem {
            instance: InstanceId::new(id).unwrap(),
            cohort: "blue".into(),
            driver: "http".into(),
        };
        let hello = Hello {
            protocol_version: reveille_proto::PROTOCOL_VERSION,
            agent_version: "0".into(),
            host: HostId::new(host).unwrap(),
            host_class: "small".into(),
            zone: String::new(),
            cores: 4.0,
            journal_id: "j".into(),
            inventory: instances.iter().map(item).collect(),
            unfinished: Vec::new(),
            cpu_ceiling_percent: None,
            wakes_max: None,
            epoch: 0,
        };
        self.app.shared().store.host_hello(&hello, "c1", 1, self.now()).await.unwrap();
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 10_000_000).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// As the operator.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.operator))
            .header("x-reveille-user", "ada")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(super) async fn post(&self, path: &str) -> Answer {
        self.ask("POST", path, "").await
    }
}
