//! A controller in the background, and an agent's end of the stream by hand.

use super::*;

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Until whatever was under way at a crash is over.
pub(super) const CLOSED: Duration = Duration::from_secs(5);

pub(super) fn config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.grpc = ([127, 0, 0, 1], 0).into();
    config.store.data_dir = Some(dir.to_owned());
    config.wake.dispatch_interval_ms = 50;
    config
}

/// A controller in the background.
pub(super) struct Running {
    pub(super) shared: Shared,
    pub(super) grpc: String,
    pub(super) token: String,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<Result<(), AppError>>,
}

impl Running {
    pub(super) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, config(dir)).await
    }

    pub(super) async fn start_with(dir: &Path, config: Config) -> Self {
        Self::start_through(dir, config, Seams::new(Clock::system(), 1)).await
    }

    pub(super) async fn start_through(dir: &Path, config: Config, seams: Seams) -> Self {
        let app = App::build(config, seams).await.expect("builds");
        let shared = app.shared().clone();
        let grpc = format!("http://{}", app.grpc_addr());
        let token = std::fs::read_to_string(dir.join("agent.token")).expect("made at the start");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(app.run(shutdown.clone()));
        Self { shared, grpc, token: token.trim().to_owned(), shutdown, task }
    }

    /// As a crash leaves it: nothing is finished.
    pub(super) async fn crash(self) {
        self.task.abort();
        drop(self.task.await);
        self.shutdown.cancel();
        // A connection whose line was cut may never be given back; the dead do not wait for it either.
        tokio::time::timeout(CLOSED, self.shared.store.close()).await.ok();
    }

    pub(super) async fn request(&self, instance: &str) -> WakeId {
        self.request_for(Reason::Demand, instance).await
    }

    pub(super) async fn request_for(&self, reason: Reason, instance: &str) -> WakeId {
        let now = self.shared.clock.now();
        let new = NewWake {
            id: self.shared.wake_id(now),
            instance: InstanceId::new(instance).expect("valid"),
            reason,
            requested_by: "test".into(),
            plan_id: None,
            probability: None,
            created_at: now,
            due_at: now,
            serve_at: None,
            expires_at: now + SignedDuration::from_mins(10),
        };
        let rule = self.shared.config.wake.retry_rule();
        let (wake, _, _) = self.shared.store.wake_request(&new, &rule).await.expect("queued");
        self.shared.board.saw(&wake, now);
        self.shared.signals.dispatch.notify_one();
        wake.id
    }

    /// Returns once the gate has been asked and has said no for this reason.
    pub(super) async fn gate_closed(&self, reason: &str) {
        let counted = async {
            loop {
                self.shared.signals.dispatch.notify_one();
                let mut figures = String::new();
                self.shared.metrics.encode(&mut figures).expect("encodes");
                if figures.contains(&format!("reason=\"{reason}\"")) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.expect("the closed gate is counted");
    }

    /// The wake once `level` holds for it.
    pub(super) async fn wake_when(&self, id: WakeId, level: impl Fn(&Wake) -> bool) -> Wake {
        let looking = async {
            loop {
                let wake = self.shared.store.wake_get(id).await.expect("readable").expect("there");
                if level(&wake) {
                    return wake;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("the level is reached")
    }
}

/// An agent's end of the stream, by hand.
pub(super) struct FakeAgent {
    pub(super) up: mpsc::Sender<AgentMessage>,
    pub(super) down: Streaming<v1::ControllerMessage>,
}

pub(super) fn hello(protocol_version: u32) -> v1::Hello {
    v1::Hello {
        protocol_version,
        agent_version: "test".into(),
        host_id: "h1".into(),
        cores: 8.0,
        journal_id: "j1".into(),
        inventory: vec![v1::InventoryItem { instance_id: "dev1".into(), ..Default::default() }],
        ..Default::default()
    }
}

impl FakeAgent {
    pub(super) async fn connect(controller: &Running, hello: v1::Hello, token: &str) -> Result<Self, Status> {
        let channel = Channel::from_shared(controller.grpc.clone()).expect("a URL").connect().await;
        let mut client = FleetClient::new(channel.expect("a controller answers"));
        let (up, messages) = mpsc::channel(16);
        up.send(AgentMessage { kind: Some(Up::Hello(hello)) }).await.expect("room");
        let mut request = Request::new(ReceiverStream::new(messages));
        let bearer = format!("Bearer {token}").parse().expect("ascii");
        request.metadata_mut().insert("authorization", bearer);
        let down = client.session(request).await?.into_inner();
        Ok(Self { up, down })
    }

    pub(super) async fn welcomed(controller: &Running) -> Self {
        let mut agent =
            Self::connect(controller, hello(PROTOCOL_VERSION), &controller.token).await.expect("connects");
        assert!(matches!(agent.next().await, Down::Welcome(_)));
        agent
    }

    /// Asserts that an agent is not taken now, and may come again soon.
    pub(super) async fn put_off(controller: &Running) {
        let connected = Self::connect(controller, hello(PROTOCOL_VERSION), &controller.token).await;
        let Down::Refused(refused) = connected.expect("connects").next().await else {
            panic!("must be refused");
        };
        assert_eq!(refused.code(), v1::refused::Code::Draining, "{}", refused.detail);
    }

    pub(super) async fn next(&mut self) -> Down {
        let message = tokio::time::timeout(PATIENCE, self.down.message()).await.expect("in time");
        message.expect("no error").expect("not the end").kind.expect("a kind")
    }

    pub(super) async fn next_wake(&mut self) -> v1::Wake {
        loop {
            if let Down::Wake(wake) = self.next().await {
                return wake;
            }
        }
    }

    pub(super) async fn say(&self, kind: Up) {
        self.up.send(AgentMessage { kind: Some(kind) }).await.expect("the session is up");
    }

    pub(super) async fn load(&self, controller: &Running, cpu_percent: f64) {
        let measured_at_ms = controller.shared.clock.now().as_millisecond();
        self.say(Up::Load(v1::Load { measured_at_ms, cpu_percent, cores: 8.0, ..Default::default() })).await;
    }

    pub(super) async fn served(&self, controller: &Running, wake: &v1::Wake) {
        let now = controller.shared.clock.now().as_millisecond();
        let result = v1::Result {
            wake_id: wake.wake_id.clone(),
            epoch: wake.epoch,
            attempt: wake.attempt,
            outcome: v1::Outcome::Woken.into(),
            effect: v1::Effect::Accepted.into(),
            at_ms: now,
            called_at_ms: Some(now),
            serving_at_ms: Some(now),
            ..Default::default()
        };
        self.say(Up::Result(result)).await;
    }

    /// The endpoint said no for good, for a reason of this code.
    pub(super) async fn failed(&self, controller: &Running, wake: &v1::Wake, code: &str) {
        let result = v1::Result {
            wake_id: wake.wake_id.clone(),
            epoch: wake.epoch,
            attempt: wake.attempt,
            outcome: v1::Outcome::Failed.into(),
            effect: v1::Effect::None.into(),
            detail: "it answered 400".into(),
            at_ms: controller.shared.clock.now().as_millisecond(),
            code: code.into(),
            ..Default::default()
        };
        self.say(Up::Result(result)).await;
    }

    pub(super) async fn next_ack(&mut self) -> v1::ResultAck {
        loop {
            if let Down::ResultAck(ack) = self.next().await {
                return ack;
            }
        }
    }
}
