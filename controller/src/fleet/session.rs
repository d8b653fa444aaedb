//! One agent's stream, from hello to its end.
//!
//! The stream is always drained: load goes to memory, everything about wakes into a channel that `tasks/settle`
//! empties. A slow database therefore never lets frames pile up unread.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt, stream};
use reveille_proto::{
    HostId, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, WakeId,
    edge::{AttemptResult, FieldError, Hello, LoadReport, Phase, Progress},
    planted, protocol_compatible,
    v1::{self, agent_message::Kind as Up, controller_message::Kind as Down},
};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};

use super::{Greeter, commands, greeter::Greetings};
use crate::{
    app::Shared,
    store::{Greeting, Said},
    tls::Peer,
};

/// How long a new connection may take to say who it is, in real time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(20);

/// What agents say about wakes, in the order they say it.
#[derive(Debug)]
pub enum AgentEvent {
    /// `in_hand` are the wakes it goes on with.
    Connected {
        host: HostId,
        journal_id: String,
        epoch: u64,
        in_hand: Vec<WakeId>,
    },
    Progress {
        host: HostId,
        progress: Progress,
    },
    Result {
        host: HostId,
        result: AttemptResult,
    },
}

/// Serves `reveille.v1.Fleet`.
#[derive(Debug, Clone)]
pub struct FleetService {
    shared: Shared,
    greetings: Greetings,
    events: UnboundedSender<AgentEvent>,
    shutdown: CancellationToken,
}

type DownStream = Pin<Box<dyn Stream<Item = Result<v1::ControllerMessage, Status>> + Send>>;

impl FleetService {
    /// With what is to run beside it: the words of agents are for `tasks/listen`, and the greeter commits hellos.
    ///
    /// The channel has no bound of its own: agents only speak of wakes the throttle let them have.
    pub fn new(
        shared: Shared,
        shutdown: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<AgentEvent>, Greeter) {
        let (events, receiver) = mpsc::unbounded_channel();
        let (greetings, greeter) = Greetings::new();
        (Self { shared, greetings, events, shutdown }, receiver, greeter)
    }

    /// Also says whether the host lists other instances than before.
    async fn welcome(&self, hello: v1::Hello) -> Result<(Hello, v1::Welcome, bool), v1::Refused> {
        let refuse = |code: v1::refused::Code, detail: String| v1::Refused { code: code.into(), detail };
        if !protocol_compatible(hello.protocol_version) {
            let detail = format!(
                "the agent speaks version {} of the protocol, this controller {PROTOCOL_VERSION_MIN} to {PROTOCOL_VERSION}",
                hello.protocol_version
            );
            return Err(refuse(v1::refused::Code::Protocol, detail));
        }
        if self.shutdown.is_cancelled() {
            return Err(refuse(v1::refused::Code::Draining, "the controller is going down".into()));
        }
        if !self.shared.levers.are_known(self.shared.clock.now()) {
            let detail = "the controller's database does not answer";
            return Err(refuse(v1::refused::Code::Draining, detail.into()));
        }
        if self.shared.fleet.connected() >= self.shared.config.fleet.sessions_max as usize {
            return Err(refuse(v1::refused::Code::Draining, "fleet.sessions_max is reached".into()));
        }
        let bad = |e: FieldError| refuse(v1::refused::Code::BadHello, e.to_string());
        let hello = Hello::try_from(hello).map_err(bad)?;
        let epoch_min = self.shared.epoch.max(hello.epoch.saturating_add(1));
        let greeted = self.greetings.greet(Said { hello: hello.clone(), epoch_min }).await;
        let Greeting { session_epoch, is_changed, moved } = greeted.ok_or_else(|| {
            refuse(v1::refused::Code::Draining, "the controller's database is not reachable".into())
        })?;
        if !moved.is_empty() {
            warn!(host_id = %hello.host, instances = ?moved, "instances were listed by another host until now");
        }
        let welcome = v1::Welcome {
            protocol_version: PROTOCOL_VERSION,
            controller_version: env!("CARGO_PKG_VERSION").into(),
            epoch: session_epoch - u64::from(hello.epoch > 0 && planted!("epoch-of-the-session-before")),
            configure: Some(commands::configure(
                &self.shared.policy(),
                self.shared.config.fleet.load_interval_ms,
            )),
        };
        Ok((hello, welcome, is_changed))
    }

    /// Reads until the agent goes away; keeps nothing waiting.
    async fn drain(self, mut up: Streaming<v1::AgentMessage>, host: HostId, session: u64) {
        loop {
            let message = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                message = up.message() => message,
            };
            match message {
                Ok(Some(v1::AgentMessage { kind: Some(kind) })) => {
                    if let Err(error) = self.heard(&host, kind) {
                        warn!(host_id = %host, %error, "a message of an agent was left out");
                    }
                }
                // A kind this version does not know.
                Ok(Some(v1::AgentMessage { kind: None })) => {}
                Ok(None) => break,
                Err(status) => {
                    info!(host_id = %host, reason = status.message(), "the agent's stream was cut");
                    break;
                }
            }
        }
        let epoch = self.shared.fleet.disconnect(&host, session);
        info!(host_id = %host, "agent disconnected");
        if let Some(epoch) = epoch {
            // Boxed: the thousands of sessions that only read need no room for it.
            let left = Box::pin(self.shared.store.host_left(&host, &self.shared.controller, epoch)).await;
            left.unwrap_or_else(|error| warn!(host_id = %host, %error, "failed to keep that an agent left"));
        }
    }

    /// Loads come every few seconds, and as long as they do the host's agent listens.
    fn say_again(&self, host: &HostId) {
        let messages = self.shared.fleet.send_unheard(host, self.shared.clock.now());
        if messages > 0 {
            warn!(host_id = %host, messages, "an agent has said nothing of its commands: they are sent again");
        }
    }

    fn heard(&self, host: &HostId, kind: Up) -> Result<(), FieldError> {
        let event = match kind {
            Up::Load(load) => {
                self.say_again(host);
                let report = LoadReport::try_from(load)
                    .inspect_err(|error| self.shared.fleet.load_refused(host, error))?;
                let now = self.shared.clock.now();
                self.shared.metrics.load_reported();
                self.shared.fleet.loaded(host, &report, &self.shared.policy(), now);
                return Ok(());
            }
            Up::Progress(progress) => {
                self.shared.fleet.heard(host, &progress.wake_id, progress.attempt);
                let mut progress = Progress::try_from(progress)?;
                progress.at = self.shared.fleet.ours(host, progress.at);
                AgentEvent::Progress { host: host.clone(), progress }
            }
            Up::Result(result) => {
                self.shared.fleet.heard(host, &result.wake_id, result.attempt);
                let mut result = AttemptResult::try_from(result)?;
                let fleet = &self.shared.fleet;
                result.at = fleet.ours(host, result.at);
                result.called_at = result.called_at.map(|theirs| fleet.ours(host, theirs));
                result.serving_at = result.serving_at.map(|theirs| fleet.ours(host, theirs));
                AgentEvent::Result { host: host.clone(), result }
            }
            // What is acknowledged is in the agent's hands; how far it is its progress shows.
            Up::Ack(ack) => {
                self.shared.fleet.heard(host, &ack.wake_id, ack.attempt);
                return Ok(());
            }
            // A second hello is pointless.
            Up::Hello(_) => return Ok(()),
        };
        // Only a controller that is going down has stopped listening; the agent will say it again.
        self.events.send(event).ok();
        Ok(())
    }
}

/// What the agent goes on with; the end of what is done it tells by itself.
fn in_hand(hello: &Hello) -> Vec<WakeId> {
    let goes_on = hello.unfinished.iter().filter(|wake| wake.phase != Phase::Done);
    goes_on.map(|wake| wake.wake).collect()
}

fn one(kind: Down) -> v1::ControllerMessage {
    v1::ControllerMessage { kind: Some(kind) }
}

async fn first_message(up: &mut Streaming<v1::AgentMessage>) -> Result<v1::Hello, Status> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, up.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello came"))??;
    match first.and_then(|message| message.kind) {
        Some(Up::Hello(hello)) => Ok(hello),
        _ => Err(Status::invalid_argument("the first message must be a hello")),
    }
}

#[tonic::async_trait]
impl v1::fleet_server::Fleet for FleetService {
    type SessionStream = DownStream;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<DownStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
        let mut up = request.into_inner();
        let hello = first_message(&mut up).await?;
        if self.shared.config.tls.client_ca_file.is_some() {
            peer.speaks_for(&hello.host_id).map_err(|no| {
                warn!(host_id = hello.host_id, %no, "an agent was refused");
                Status::permission_denied(no.to_string())
            })?;
        }
        let (hello, welcome, is_changed) = match self.welcome(hello).await {
            Ok(all) => all,
            Err(refused) => {
                warn!(reason = refused.detail, "an agent was refused");
                return Ok(Response::new(stream::iter([Ok(one(Down::Refused(refused)))]).boxed()));
            }
        };
        let before = self.shared.fleet.live(&hello.host);
        if before.is_some_and(|live| live.connected && live.journal_id != hello.journal_id) {
            warn!(host_id = %hello.host, "two agents with different journals use this host id: each cuts the other off");
        }
        let (session, outbox) = self.shared.fleet.connect(&hello, welcome.epoch);
        let listed = hello.inventory.iter().map(|item| &item.instance);
        self.shared.board.rehome(listed, &hello.host, self.shared.clock.now());
        info!(host_id = %hello.host, version = hello.agent_version, instances = hello.inventory.len(), "agent connected");
        let connected = AgentEvent::Connected {
            host: hello.host.clone(),
            journal_id: hello.journal_id.clone(),
            epoch: welcome.epoch,
            in_hand: in_hand(&hello),
        };
        self.events.send(connected).ok();
        if is_changed {
            // A plan knows instances by their hosts; a fleet that merely comes back changes nothing in it.
            self.shared.signals.plan.notify_one();
        }
        tokio::spawn(self.clone().drain(up, hello.host.clone(), session));
        let down = stream::iter([Ok(one(Down::Welcome(welcome)))])
            .chain(ReceiverStream::new(outbox).map(|message| Ok(*message)));
        Ok(Response::new(down.take_until(self.shutdown.clone().cancelled_owned()).boxed()))
    }
}
