//! One agent: session after session on a connection of its own, with the real agent's waits in between.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use rand::{RngExt, rngs::StdRng};
use reveille_agent::link::Backoff;
use reveille_proto::{
    PROTOCOL_VERSION,
    clock::Clock,
    v1::{self, agent_message, controller_message, fleet_client::FleetClient},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::tally::{Tally, add};

/// As in the agent's own session.
const HANDSHAKE: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_secs(10);

/// One report a second.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// The one that is on its way, and one that is told after it.
const WAITING_MAX: usize = 2;
const CORES: f64 = 16.0;

/// What an agent is, and where it counts what it does.
#[derive(Debug, Clone)]
pub(super) struct SimulatedAgent {
    pub(super) number: u32,
    pub(super) instances: u32,
    /// Where in the second it reports.
    pub(super) phase: Duration,
    pub(super) endpoint: Endpoint,
    pub(super) token: MetadataValue<Ascii>,
    pub(super) tally: Arc<Tally>,
    pub(super) clock: Clock,
}

/// A session that was welcomed.
struct Begun {
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::ControllerMessage>,
    epoch: u64,
}

/// The agent's own settings of a connection.
pub(super) fn endpoint(address: SocketAddr, ca: Option<&Path>) -> anyhow::Result<Endpoint> {
    let endpoint = match ca {
        None => Endpoint::from_shared(format!("http://{address}"))?,
        Some(path) => {
            let pem = std::fs::read(path).context("failed to read the authority")?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?
        }
    };
    Ok(endpoint
        .connect_timeout(HANDSHAKE)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .http2_adaptive_window(false))
}

impl SimulatedAgent {
    /// Runs until it is dropped.
    pub(super) async fn run(self, mut backoff: Backoff, mut rng: StdRng, origin: Instant) {
        let mut epoch = 0;
        loop {
            let dialled = self.endpoint.connect().await;
            match dialled {
                Err(_) => add(&self.tally.not_dialled),
                Ok(channel) => match self.begin(channel, epoch).await {
                    None => add(&self.tally.not_welcomed),
                    Some(begun) => {
                        add(&self.tally.welcomed);
                        epoch = begun.epoch;
                        let began = Instant::now();
                        self.go_on(begun, &mut rng, origin).await;
                        add(&self.tally.broken);
                        if began.elapsed() >= SETTLED {
                            backoff.reset();
                        }
                    }
                },
            }
            tokio::time::sleep(backoff.next(&mut rng)).await;
        }
    }

    async fn begin(&self, channel: Channel, epoch: u64) -> Option<Begun> {
        let (up, messages) = mpsc::channel(WAITING_MAX);
        up.try_send(message(agent_message::Kind::Hello(self.hello(epoch)))).ok()?;
        let mut request = Request::new(ReceiverStream::new(messages));
        request.metadata_mut().insert("authorization", self.token.clone());
        add(&self.tally.hellos);
        let handshake = async {
            let mut down = FleetClient::new(channel).session(request).await.ok()?.into_inner();
            let first = down.message().await.ok()??;
            Some((down, first))
        };
        let (down, first) = tokio::time::timeout(HANDSHAKE, handshake).await.ok()??;
        match first.kind {
            Some(controller_message::Kind::Welcome(welcome)) => {
                Some(Begun { up, down, epoch: welcome.epoch })
            }
            _ => None,
        }
    }

    /// Reads everything that comes down and reports once a second, until the line breaks.
    async fn go_on(&self, Begun { up, mut down, .. }: Begun, rng: &mut StdRng, origin: Instant) {
        let turn = origin + REPORT_EVERY * (origin.elapsed().as_secs() as u32 + 1) + self.phase;
        let mut turns = tokio::time::interval_at(turn, REPORT_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                heard = down.message() => if !matches!(heard, Ok(Some(_))) { return },
                _ = turns.tick() => self.report(&up, rng),
            }
        }
    }

    /// Only when nothing waits before it, as the real agent.
    fn report(&self, up: &mpsc::Sender<v1::AgentMessage>, rng: &mut StdRng) {
        if up.capacity() < up.max_capacity() {
            add(&self.tally.coalesced);
        } else if up.try_send(message(agent_message::Kind::Load(self.load(rng)))).is_ok() {
            self.tally.loads.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hello(&self, epoch: u64) -> v1::Hello {
        let item = |n| v1::InventoryItem {
            instance_id: format!("dev{:07}", self.number * self.instances + n),
            cohort: "dev".into(),
            driver: "http".into(),
        };
        v1::Hello {
            protocol_version: PROTOCOL_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            host_id: format!("host-{:05}", self.number),
            host_class: "m5.4xlarge".into(),
            zone: "a".into(),
            cores: CORES,
            journal_id: format!("journal-{:05}", self.number),
            inventory: (0..self.instances).map(item).collect(),
            epoch,
            ..v1::Hello::default()
        }
    }

    /// Every instance is in it, which a real agent only says after a hello: the worst it can be.
    fn load(&self, rng: &mut StdRng) -> v1::Load {
        let instance = |index, cores| v1::InstanceLoad {
            index,
            observed: if index % 4 == 0 { v1::Observed::Serving } else { v1::Observed::Asleep }.into(),
            cores: Some(cores),
        };
        let cpu_percent = rng.random_range(5.0..60.0);
        v1::Load {
            measured_at_ms: self.clock.now().as_millisecond(),
            cpu_percent,
            cores: CORES,
            cpu_pressure_percent: Some(cpu_percent / 20.0),
            memory_pressure_percent: Some(0.0),
            io_pressure_percent: Some(0.1),
            cpu_percent_now: Some(cpu_percent),
            instances: (0..self.instances).map(|n| instance(n, rng.random_range(0.0..0.5))).collect(),
            ..v1::Load::default()
        }
    }
}

fn message(kind: agent_message::Kind) -> v1::AgentMessage {
    v1::AgentMessage { kind: Some(kind) }
}
