//! The whole agent against a controller and endpoints on loopback, at a clock that runs fast.

mod several;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use reveille_proto::v1::{
    self, Effect, Outcome, Phase, agent_message, controller_message::Kind, refused::Code,
};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use super::*;
use crate::{
    group::StartsSample,
    link::fleet::{FakeController, FakeSession, welcome},
    load::{Sample, Source},
};

const WAKE: &str = "0190a1b2-0000-7000-8000-000000000001";

struct Idle;

impl Source for Idle {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        Ok(Sample { cpu_percent: 12.0, cores: 4.0, ..Sample::default() })
    }
}

/// An instance that answers only after it was asked for some times since its wake.
struct Boots {
    calls: Arc<AtomicU32>,
    looks_left: AtomicU32,
}

impl Respond for Boots {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        if self.calls.load(SeqCst) == 0 {
            return ResponseTemplate::new(503);
        }
        match self.looks_left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => ResponseTemplate::new(503),
            Err(_) => ResponseTemplate::new(200).set_body_string("I am dev1"),
        }
    }
}

/// A platform with one instance: `POST /wake/dev1`, `GET /dev1`.
async fn platform(looks_until_it_serves: u32) -> (MockServer, Arc<AtomicU32>) {
    let server = MockServer::start().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    Mock::given(method("POST"))
        .and(path("/wake/dev1"))
        .respond_with(move |_: &Request| {
            counted.fetch_add(1, SeqCst);
            ResponseTemplate::new(202)
        })
        .mount(&server)
        .await;
    let boots = Boots { calls: Arc::clone(&calls), looks_left: looks_until_it_serves.into() };
    Mock::given(method("GET")).and(path("/dev1")).respond_with(boots).mount(&server).await;
    (server, calls)
}

fn config(controller: &str, platform: &str, dir: &Path) -> Config {
    std::fs::write(dir.join("token"), "letmein\n").expect("written");
    let text = format!(
        r#"
host_id = "host-1"
host_class = "m5"
state_dir = "{dir}"
controller = {{ address = "{controller}", token_file = "{dir}/token" }}
metrics = {{ listen = "127.0.0.1:0" }}
[[instance_templates]]
ids = {{ prefix = "dev", from = 1, to = 2 }}
cohort = "devs"
driver = {{ kind = "http", url = "{platform}/wake/{{instance}}" }}
readiness = {{ kind = "http", url = "{platform}/{{instance}}", expect = {{ body_contains = "I am" }}, successes = 2 }}
"#,
        dir = dir.display()
    );
    let file = dir.join("agent.toml");
    std::fs::write(&file, text).expect("written");
    Config::load(Some(&file)).expect("valid")
}

/// A running agent, a thousand times as fast as we are.
struct Running {
    shutdown: CancellationToken,
    metrics: SocketAddr,
    task: JoinHandle<Result<(), AgentError>>,
    clock: Clock,
}

impl Running {
    async fn start(config: Config, clock: &Clock) -> Self {
        Self::with(config, Seams::new(clock.clone(), Box::new(Idle), 7), clock).await
    }

    async fn with(config: Config, seams: Seams, clock: &Clock) -> Self {
        let agent = Agent::build(config, seams).await.expect("built");
        let metrics = agent.metrics_addr().expect("configured");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(agent.run(shutdown.clone()));
        Self { shutdown, metrics, task, clock: clock.clone() }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("ends in order");
    }

    fn wake(&self, attempt: u32) -> Kind {
        Kind::Wake(v1::Wake {
            wake_id: WAKE.into(),
            epoch: 3,
            attempt,
            instance_id: "dev1".into(),
            reason: v1::Reason::Demand.into(),
            // A day is 86 real seconds here: enough for a busy machine.
            deadline_ms: self.clock.now().as_millisecond() + 86_400_000,
            idempotency_key: "key".into(),
            look_only: false,
        })
    }

    async fn figures(&self) -> String {
        let url = format!("http://{}/metrics", self.metrics);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.get(url).send().await.expect("served").text().await.expect("text")
    }
}

fn fast() -> Clock {
    rustls::crypto::ring::default_provider().install_default().ok();
    Clock::scaled("2026-03-02T08:00:00Z".parse().expect("valid"), 1000.0)
}

async fn phase(session: &mut FakeSession, phase: Phase) {
    while !matches!(session.next().await, agent_message::Kind::Progress(p) if p.phase() == phase) {}
}

#[tokio::test]
async fn a_wake_from_hello_to_an_acknowledged_result() {
    let dir = tempfile::tempdir().expect("a directory");
    let (platform, calls) = platform(5).await;
    let mut controller = FakeController::start().await;
    let agent = Running::start(config(&controller.url(), &platform.uri(), dir.path()), &fast()).await;
    let (mut session, hello) = controller.welcomed(3).await;
    assert_eq!(session.authorization.as_deref(), Some("Bearer letmein"));
    assert_eq!(
        (hello.host_id.as_str(), hello.host_class.as_str(), hello.inventory.len()),
        ("host-1", "m5", 2)
    );
    assert_eq!((hello.inventory[1].cohort.as_str(), hello.inventory[1].driver.as_str()), ("devs", "http"));
    let checked = reveille_proto::edge::Hello::try_from(hello).expect("a good hello");
    assert!((checked.cores - 4.0).abs() < 1e-9);

    let load = session.load().await;
    assert!((load.cpu_percent - 12.0).abs() < 1e-9 && load.active_wakes == 0);
    assert_eq!(load.instances.len(), 2, "all instances are in the first report");
    assert!(load.cpu_percent_now.is_some() && load.group_cores.is_none());
    assert!(session.load().await.measured_at_ms > load.measured_at_ms, "each load is a new one");

    session.send(agent.wake(1)).await;
    let result = session.result().await;
    assert_eq!(
        (result.outcome(), result.effect(), calls.load(SeqCst)),
        (Outcome::Woken, Effect::Accepted, 1)
    );
    assert!(result.serving_at_ms > result.called_at_ms);
    assert_eq!(session.result().await, result, "told again until it is acknowledged");
    let figures = agent.figures().await;
    for line in [
        "reveille_agent_wakes_total{outcome=\"woken\"} 1",
        "reveille_agent_connected 1",
        "reveille_agent_cpu_percent 12",
    ] {
        assert!(figures.contains(line), "{line} is not in {figures}");
    }

    session.send(Kind::ResultAck(v1::ResultAck { wake_id: WAKE.into(), epoch: 3, attempt: 1 })).await;
    drop(session);
    let (_session, hello) = controller.welcomed(3).await;
    assert_eq!(hello.unfinished, [], "an acknowledged result is not told again");
    agent.stop().await;
}

/// Both instances use a core each, whatever they do.
struct Busy;

impl Starts for Busy {
    fn sample(&mut self) -> StartsSample {
        let cores = [1, 2].map(|n| (format!("dev{n}").parse().expect("valid"), 1.0));
        StartsSample { cores: cores.into(), group_cores: Some(2.5), throttled_share: Some(0.5) }
    }
}

#[tokio::test]
async fn what_a_start_uses_is_told_while_its_wake_is_in_hand() {
    let dir = tempfile::tempdir().expect("a directory");
    let (platform, _) = platform(200).await;
    let mut controller = FakeController::start().await;
    let clock = fast();
    let seams = Seams { starts: Some(Box::new(Busy)), ..Seams::new(clock.clone(), Box::new(Idle), 7) };
    let agent = Running::with(config(&controller.url(), &platform.uri(), dir.path()), seams, &clock).await;
    let (mut session, _) = controller.welcomed(3).await;
    let load = session.load().await;
    assert!(load.wakes.is_empty() && load.group_cores == Some(2.5), "{load:?}");
    assert_eq!(load.instances.len(), 2);
    session.send(agent.wake(1)).await;
    let load = loop {
        let load = session.load().await;
        if load.wakes.first().is_some_and(|wake| wake.cores > 0.99) {
            break load;
        }
    };
    assert_eq!((load.wakes.len(), load.wakes[0].wake_id.as_str()), (1, WAKE), "dev2 is no wake's");
    assert!((load.group_throttled_share.expect("measured") - 0.5).abs() < 1e-9);
    agent.stop().await;
}

#[tokio::test]
async fn a_lost_controller_stops_nothing_and_hears_the_end_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (platform, calls) = platform(30).await;
    let mut controller = FakeController::start().await;
    let agent = Running::start(config(&controller.url(), &platform.uri(), dir.path()), &fast()).await;
    let (mut session, _) = controller.welcomed(3).await;
    session.send(agent.wake(1)).await;
    phase(&mut session, Phase::Accepted).await;
    drop(session);
    let (mut session, hello) = controller.welcomed(4).await;
    assert_eq!(hello.unfinished[0].wake_id, WAKE);
    let result = session.result().await;
    assert_eq!((result.outcome(), calls.load(SeqCst)), (Outcome::Woken, 1));
    agent.stop().await;
}

#[tokio::test]
async fn a_restarted_agent_ends_the_wake_without_a_second_call() {
    let dir = tempfile::tempdir().expect("a directory");
    let (platform, calls) = platform(200).await;
    let mut controller = FakeController::start().await;
    let clock = fast();
    let config = config(&controller.url(), &platform.uri(), dir.path());
    let agent = Running::start(config.clone(), &clock).await;
    let (mut session, first) = controller.welcomed(3).await;
    session.send(agent.wake(1)).await;
    phase(&mut session, Phase::Accepted).await;
    agent.task.abort(); // dropped where it is, as by a crash
    let agent = Running::start(config, &clock).await;
    let (mut session, second) = controller.welcomed(3).await;
    assert_eq!(second.journal_id, first.journal_id);
    assert_eq!((second.unfinished[0].wake_id.as_str(), second.unfinished[0].attempt), (WAKE, 1));
    session.send(agent.wake(1)).await;
    let result = session.result().await;
    assert_eq!(
        (result.outcome(), result.effect(), calls.load(SeqCst)),
        (Outcome::Woken, Effect::Accepted, 1)
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_refused_agent_comes_back_later_and_a_bad_command_breaks_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut controller = FakeController::start().await;
    let agent = Running::start(config(&controller.url(), "http://127.0.0.1:9", dir.path()), &fast()).await;
    let session = controller.session().await;
    let refused_at = agent.clock.now();
    session.send(Kind::Refused(v1::Refused { code: Code::Protocol.into(), detail: "too old".into() })).await;
    let mut session = controller.session().await;
    let waited_s = agent.clock.now().duration_since(refused_at).as_secs();
    assert!(waited_s >= 30, "a lasting no is retried slowly, not after {waited_s} s");
    session.send(welcome(1)).await;
    session.send(Kind::Wake(v1::Wake { wake_id: "nonsense".into(), ..v1::Wake::default() })).await;
    session.send(Kind::Cancel(v1::Cancel { wake_id: "nonsense".into(), epoch: 1 })).await;
    session.load().await;
    agent.stop().await;
}

#[tokio::test]
async fn a_second_agent_on_the_same_state_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("http://127.0.0.1:9", "http://127.0.0.1:9", dir.path());
    let seams = || Seams::new(fast(), Box::new(Idle), 7);
    let _first = Agent::build(config.clone(), seams()).await.expect("built");
    let error = Agent::build(config, seams()).await.expect_err("locked");
    assert!(matches!(error, AgentError::Journal(JournalError::Locked { .. })), "{error:?}");
}
