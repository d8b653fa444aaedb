//! One session: hello, welcome, then commands down and load and reports up until the line breaks.

use std::time::Duration;

use reveille_proto::{
    HostId, PROTOCOL_VERSION, WakeId,
    clock::Clock,
    edge::WakeCommand,
    protocol_compatible,
    v1::{self, agent_message, controller_message::Kind, fleet_client::FleetClient},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Streaming,
    metadata::MetadataValue,
    transport::{ClientTlsConfig, Endpoint},
};
use tracing::{error, info, warn};

use super::{
    SessionError,
    dial::{self, Dial},
    load::Told,
    tls::tls,
};
use crate::{config::Controller, execute::Executor, group::Tally, load::Reading, metrics::Metrics};

/// Real seconds for the controller to answer a hello.
const HANDSHAKE_S: u64 = 10;

/// How patient the agent is with a controller, in real time.
struct Patience {
    connect: Duration,
    /// Between two pings, and until an unanswered one breaks the line.
    ping: Duration,
    pong: Duration,
}

/// There is nobody else to go to.
const WITH_THE_ONLY_ONE: Patience = Patience {
    connect: Duration::from_secs(HANDSHAKE_S),
    ping: Duration::from_secs(30),
    pong: Duration::from_secs(20),
};
/// One that is stopped or cut off takes connections and says nothing: five seconds later the agent is with another.
const WITH_ONE_OF_SEVERAL: Patience =
    Patience { connect: Duration::from_secs(3), ping: Duration::from_secs(2), pong: Duration::from_secs(3) };

/// Reports on their way. What does not fit is told again, see [`Executor::tell_results`].
const REPORTS_WAITING_MAX: usize = 4096;
/// Unacknowledged results are sent again.
const RESULT_AGAIN: Duration = Duration::from_secs(30);
const LOAD_INTERVAL_DEFAULT_MS: u32 = 1000;

/// What the agent says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    pub host: HostId,
    pub host_class: String,
    pub zone: String,
    pub cores: f64,
    pub journal_id: String,
}

/// What a session needs; it is used for one after the other.
#[derive(Debug, Clone)]
pub struct Session {
    pub clock: Clock,
    pub controller: Controller,
    pub identity: Identity,
    pub executor: Executor,
    pub load: watch::Receiver<Option<Reading>>,
    pub tally: Tally,
    pub metrics: Metrics,
    /// Instead of TCP.
    pub dial: Option<Dial>,
}

impl Session {
    /// Lives until the line breaks. `welcomed` is told when the controller has taken this agent.
    pub(super) async fn live(&self, address: &str, welcomed: &mut bool) -> SessionError {
        match self.begin(address).await {
            Ok(begun) => {
                *welcomed = true;
                self.go_on(begun).await
            }
            Err(error) => error,
        }
    }

    async fn begin(&self, address: &str) -> Result<Begun, SessionError> {
        let (up, messages) = mpsc::channel(REPORTS_WAITING_MAX);
        let hello = v1::AgentMessage { kind: Some(agent_message::Kind::Hello(self.hello())) };
        up.try_send(hello).expect("the channel is new and not empty");
        let mut request = Request::new(ReceiverStream::new(messages));
        if let Some(token) = bearer(&self.controller)? {
            request.metadata_mut().insert("authorization", token);
        }
        let is_replaceable = self.controller.address.are_several();
        let patience = if is_replaceable { &WITH_ONE_OF_SEVERAL } else { &WITH_THE_ONLY_ONE };
        let endpoint = endpoint(address, tls(&self.controller, address)?, patience)?;
        let channel = dial::connect(&endpoint, self.dial.as_ref()).await?;
        let handshake = async {
            let mut down = FleetClient::new(channel).session(request).await.map_err(rpc)?.into_inner();
            let first = down.message().await.map_err(rpc)?;
            Ok((down, first.and_then(|message| message.kind)))
        };
        let (down, first) = tokio::time::timeout(Duration::from_secs(HANDSHAKE_S), handshake)
            .await
            .map_err(|_| SessionError::NoWelcome("it did not answer in time"))??;
        let welcome = match first {
            Some(Kind::Welcome(welcome)) => welcome,
            Some(Kind::Refused(refused)) => return Err(refusal(refused)),
            _ => return Err(SessionError::NoWelcome("it began with something else")),
        };
        if !protocol_compatible(welcome.protocol_version) {
            let detail = format!(
                "it speaks version {} of the protocol, this agent {PROTOCOL_VERSION}",
                welcome.protocol_version
            );
            return Err(SessionError::Refused { code: v1::refused::Code::Protocol, detail });
        }
        Ok(Begun { up, down, welcome })
    }

    async fn go_on(&self, Begun { up, mut down, welcome }: Begun) -> SessionError {
        info!(epoch = welcome.epoch, controller_version = welcome.controller_version, host_id = %self.identity.host, "welcomed by the controller");
        let mut load_interval = interval(None);
        self.executor.see_epoch(welcome.epoch);
        if let Some(configure) = &welcome.configure {
            load_interval = self.configure(configure);
        }
        let _attached = Attached::new(self, up.clone());
        self.executor.tell_all();
        // For a while, whatever becomes of the time of day meanwhile.
        let mut load_due = Box::pin(self.clock.sleep(Duration::ZERO));
        let mut again_due = Box::pin(self.clock.sleep(RESULT_AGAIN));
        let mut told = Told::default();
        loop {
            tokio::select! {
                biased;
                message = down.message() => match message {
                    Ok(Some(v1::ControllerMessage { kind: Some(Kind::Configure(configure)) })) => {
                        load_interval = self.configure(&configure);
                    }
                    Ok(Some(message)) => if let Err(error) = self.obey(message) { return error },
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return rpc(status),
                },
                () = &mut load_due => {
                    self.send_load(&up, &mut told);
                    load_due.set(self.clock.sleep(load_interval));
                }
                () = &mut again_due => {
                    self.executor.tell_results();
                    again_due.set(self.clock.sleep(RESULT_AGAIN));
                }
            }
        }
    }

    fn configure(&self, configure: &v1::Configure) -> Duration {
        self.executor.configure(configure);
        interval(Some(configure))
    }

    /// Hands a command on. Never waits, so that the stream is always drained.
    fn obey(&self, message: v1::ControllerMessage) -> Result<(), SessionError> {
        match message.kind {
            Some(Kind::Wake(wake)) => match WakeCommand::try_from(wake) {
                Ok(command) => self.executor.wake(command.into()),
                Err(error) => error!(%error, "a wake command cannot be taken"),
            },
            Some(Kind::Cancel(cancel)) => {
                self.with_wake(&cancel.wake_id, |w| self.executor.cancel(w, cancel.epoch));
            }
            Some(Kind::ResultAck(ack)) => {
                self.with_wake(&ack.wake_id, |w| self.executor.acked(w, ack.attempt));
            }
            Some(Kind::Refused(refused)) => return Err(refusal(refused)),
            Some(Kind::Welcome(_) | Kind::Configure(_)) => {}
            None => warn!("a message of a kind this agent does not know is passed over"),
        }
        Ok(())
    }

    fn with_wake(&self, text: &str, use_it: impl FnOnce(WakeId)) {
        match text.parse() {
            Ok(wake) => use_it(wake),
            Err(error) => error!(host_id = %self.identity.host, %error, "a message names no wake"),
        }
    }

    fn hello(&self) -> v1::Hello {
        let Identity { host, host_class, zone, cores, journal_id } = self.identity.clone();
        v1::Hello {
            protocol_version: PROTOCOL_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            host_id: host.to_string(),
            host_class,
            zone,
            cores,
            journal_id,
            inventory: self.executor.inventory(),
            unfinished: self.executor.unfinished(),
            cpu_ceiling_percent: self.executor.own_limits().cpu_ceiling_percent,
            wakes_max: self.executor.own_limits().wakes_max,
            epoch: self.executor.known_epoch(),
        }
    }
}

struct Begun {
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::ControllerMessage>,
    welcome: v1::Welcome,
}

/// While it lives, reports go up this session.
struct Attached<'a>(&'a Session);

impl<'a> Attached<'a> {
    fn new(session: &'a Session, up: mpsc::Sender<v1::AgentMessage>) -> Self {
        session.executor.attach(Some(up));
        session.metrics.connected.set(1);
        session.metrics.sessions.inc();
        Self(session)
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.0.executor.attach(None);
        self.0.metrics.connected.set(0);
    }
}

/// The adaptive window stays off: it shrinks the window to 64 KiB, in which a stalled reader's budget for small
/// frames is soon spent and the whole connection dies.
fn endpoint(
    address: &str,
    tls: Option<ClientTlsConfig>,
    patience: &Patience,
) -> Result<Endpoint, SessionError> {
    let connect = |error| SessionError::Connect(Box::new(error));
    let mut endpoint = Endpoint::from_shared(address.to_owned()).map_err(connect)?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls).map_err(connect)?;
    }
    Ok(endpoint
        .connect_timeout(patience.connect)
        .http2_keep_alive_interval(patience.ping)
        .keep_alive_timeout(patience.pong)
        .keep_alive_while_idle(true)
        .http2_adaptive_window(false))
}

/// Read at each dial, so that it may be rotated.
fn bearer(controller: &Controller) -> Result<Option<MetadataValue<tonic::metadata::Ascii>>, SessionError> {
    let Some(path) = controller.token_path() else { return Ok(None) };
    let token = std::fs::read_to_string(&path)
        .map_err(|source| SessionError::Token { path: path.clone(), source })?;
    let mut value: MetadataValue<_> =
        format!("Bearer {}", token.trim()).parse().map_err(|_| SessionError::BadToken { path })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn rpc(status: tonic::Status) -> SessionError {
    SessionError::Rpc(Box::new(status))
}

fn refusal(refused: v1::Refused) -> SessionError {
    SessionError::Refused { code: refused.code(), detail: refused.detail }
}

fn interval(configure: Option<&v1::Configure>) -> Duration {
    let wanted = configure.map_or(0, |configure| configure.load_interval_ms);
    let ms = if wanted == 0 { LOAD_INTERVAL_DEFAULT_MS } else { wanted };
    Duration::from_millis(u64::from(ms))
}
