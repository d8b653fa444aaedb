//! A tap on the link between agents and controller: passes every message on unchanged and has it written down. Only where its
//! [`Switch`] says so it cuts sessions, withholds words of one wake, or loses a message.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc};

use reveille_proto::v1::{
    AgentMessage, ControllerMessage, agent_message, controller_message,
    fleet_client::FleetClient,
    fleet_server::{Fleet, FleetServer},
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    codegen::http::{HeaderValue, header::DATE},
    transport::{Channel, Server},
};
use tower::util::MapResponseLayer;

use super::{
    Switch,
    switch::{Passing, Way},
    watched::{Journals, Watch},
};
use crate::{history::Recorder, net::Ways};

/// What it is called where it has no port.
pub const NAME: &str = "tap";
/// Messages on their way through the tap, per direction.
const IN_PASSAGE_MAX: usize = 64;

#[derive(Debug)]
pub struct Tap {
    controller: Channel,
    recorder: Recorder,
    switch: Switch,
    journals: Journals,
}

impl Tap {
    /// Listens on a loopback port and passes on to the controller at `controller` until `stop`.
    pub async fn serve(
        controller: SocketAddr,
        recorder: Recorder,
        stop: CancellationToken,
    ) -> io::Result<SocketAddr> {
        Self::serve_switched(controller, recorder, Switch::default(), stop).await
    }

    /// As [`Tap::serve`], with sessions that `switch` can cut.
    pub async fn serve_switched(
        controller: SocketAddr,
        recorder: Recorder,
        switch: Switch,
        stop: CancellationToken,
    ) -> io::Result<SocketAddr> {
        let authority =
            Self::open(&Ways::Loopback, &controller.to_string(), (recorder, switch), stop).await?;
        authority.parse().map_err(io::Error::other)
    }

    /// Passes on to the controller that is called `controller` on these ways; gives the authority it is called by itself.
    pub async fn open(
        ways: &Ways,
        controller: &str,
        (recorder, switch): (Recorder, Switch),
        stop: CancellationToken,
    ) -> io::Result<String> {
        let controller = ways.channel(NAME, controller)?;
        let tap = Self { controller, recorder, switch, journals: Journals::default() };
        let (authority, door) = ways.open(NAME).await?;
        let server =
            Server::builder().layer(MapResponseLayer::new(dateless)).add_service(FleetServer::new(tap));
        let serving = server.serve_with_incoming_shutdown(door.calls(), stop.cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the tap on the link stopped");
            }
        });
        Ok(authority)
    }
}

/// Its answers pass lines that count bytes, and the date a server puts into them is not always as long.
fn dateless(mut answer: http::Response<tonic::body::Body>) -> http::Response<tonic::body::Body> {
    answer.headers_mut().insert(DATE, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    answer
}

#[tonic::async_trait]
impl Fleet for Tap {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<ControllerMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (metadata, _, mut from_agent) = request.into_parts();
        let recorder = self.recorder.clone();
        let watch = Arc::new(Watch::new(recorder, self.journals.clone(), self.switch.session()));
        let (pass_on, passed) = mpsc::channel(IN_PASSAGE_MAX);
        let (up, switch) = (Arc::clone(&watch), self.switch.clone());
        tokio::spawn(async move {
            let is_cut = up.session.cut();
            tokio::pin!(is_cut);
            loop {
                let message = tokio::select! {
                    biased;
                    () = &mut is_cut => return,
                    message = from_agent.next() => message,
                };
                let Some(Ok(mut message)) = message else { return };
                if let Some(agent_message::Kind::Hello(hello)) = &mut message.kind {
                    switch.as_of_its_version(hello);
                }
                let is_heard = up.upward(&message);
                // A hello tells whose session it is, and that may be one to be held.
                if up.session.is_cut_now() {
                    return;
                }
                let passing = if is_muddled_up(&message) {
                    up.session.passing(Way::ToController)
                } else {
                    Passing::default()
                };
                if is_heard && !passed_on(&pass_on, message, passing).await {
                    return;
                }
            }
        });
        let mut upstream = Request::new(ReceiverStream::new(passed));
        *upstream.metadata_mut() = metadata;
        let answer = FleetClient::new(self.controller.clone()).session(upstream).await?;
        let (hand_on, down) = mpsc::channel(IN_PASSAGE_MAX);
        tokio::spawn(downwards(answer.into_inner(), hand_on, watch));
        Ok(Response::new(Box::pin(ReceiverStream::new(down))))
    }
}

/// Passes on what the controller says, until either end or the switch ends it.
async fn downwards(
    mut from_controller: Streaming<ControllerMessage>,
    hand_on: mpsc::Sender<Result<ControllerMessage, Status>>,
    watch: Arc<Watch>,
) {
    let mut repeated = 0;
    loop {
        let message = tokio::select! {
            biased;
            () = watch.session.cut() => break,
            () = hand_on.closed() => break,
            command = watch.session.stale(repeated) => {
                repeated += 1;
                // It is not the controller's word: nothing was granted with it.
                let kind = Some(controller_message::Kind::Wake(command));
                if hand_on.send(Ok(ControllerMessage { kind })).await.is_err() {
                    break;
                }
                continue;
            }
            message = from_controller.next() => message,
        };
        let Some(message) = message else { break };
        if message.as_ref().is_ok_and(|message| !watch.downward(message)) {
            continue;
        }
        let passing = match &message {
            Ok(message) if is_muddled_down(message) => watch.session.passing(Way::ToAgent),
            _ => Passing::default(),
        };
        let is_over = message.is_err();
        if !passed_on(&hand_on, message, passing).await || is_over {
            break;
        }
    }
    watch.over();
}

/// Commands and confirmations may come twice or late; what opens and keeps a session is not tampered with.
fn is_muddled_down(message: &ControllerMessage) -> bool {
    use controller_message::Kind as Said;
    matches!(message.kind, Some(Said::Wake(_) | Said::Cancel(_) | Said::ResultAck(_)))
}

/// As [`is_muddled_down`], of what an agent says of wakes.
fn is_muddled_up(message: &AgentMessage) -> bool {
    use agent_message::Kind as Said;
    matches!(message.kind, Some(Said::Ack(_) | Said::Progress(_) | Said::Result(_)))
}

/// Sends a message as it is to pass; `false` when nobody listens any more. One that is late goes when its time comes, if
/// somebody still listens then.
async fn passed_on<T: Clone + Send + 'static>(to: &mpsc::Sender<T>, message: T, passing: Passing) -> bool {
    if passing.is_twice && to.send(message.clone()).await.is_err() {
        return false;
    }
    if passing.late_by.is_zero() {
        return to.send(message).await.is_ok();
    }
    // It does not keep a session open that is over.
    let to = to.downgrade();
    tokio::spawn(async move {
        tokio::time::sleep(passing.late_by).await;
        if let Some(to) = to.upgrade() {
            to.send(message).await.ok();
        }
    });
    true
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use reveille_proto::{
        clock::Clock,
        v1::{self, Hello, Load, Outcome, Phase, Progress, Wake},
    };

    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::Endpoint;

    use super::*;
    use crate::history::{Function, Header, History};

    /// A controller that answers a hello with one wake and then tells what it heard.
    #[derive(Debug)]
    struct Fake {
        heard: mpsc::Sender<AgentMessage>,
    }

    #[tonic::async_trait]
    impl Fleet for Fake {
        type SessionStream = ReceiverStream<Result<ControllerMessage, Status>>;

        async fn session(
            &self,
            request: Request<Streaming<AgentMessage>>,
        ) -> Result<Response<Self::SessionStream>, Status> {
            assert_eq!(
                request.metadata().get("authorization").map(tonic::metadata::MetadataValue::as_bytes),
                Some(&b"Bearer t"[..])
            );
            let (down, stream) = mpsc::channel(4);
            let heard = self.heard.clone();
            let mut up = request.into_inner();
            tokio::spawn(async move {
                let wake = Wake {
                    wake_id: "w1".into(),
                    attempt: 1,
                    instance_id: "dev001".into(),
                    ..Wake::default()
                };
                let wake = ControllerMessage { kind: Some(controller_message::Kind::Wake(wake)) };
                down.send(Ok(wake)).await.expect("the tap listens");
                while let Some(Ok(message)) = up.next().await {
                    heard.send(message).await.expect("the test listens");
                }
            });
            Ok(Response::new(ReceiverStream::new(stream)))
        }
    }

    async fn fake_controller(heard: mpsc::Sender<AgentMessage>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = Server::builder().add_service(FleetServer::new(Fake { heard }));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn from_agent(kind: agent_message::Kind) -> AgentMessage {
        AgentMessage { kind: Some(kind) }
    }

    #[tokio::test]
    async fn everything_passes_unchanged_and_is_written_down() {
        let (heard, mut hears) = mpsc::channel(16);
        let controller = fake_controller(heard).await;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("history.jsonl");
        let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 10.0);
        let header = Header::new("test", 1, "scaled", "UTC");
        let recorder = Recorder::create(&path, &header, clock, TimeZone::UTC).expect("created");
        let tap = Tap::serve(controller, recorder.clone(), CancellationToken::new()).await.expect("listens");

        let messages = vec![
            from_agent(agent_message::Kind::Hello(Hello { host_id: "h1".into(), ..Hello::default() })),
            from_agent(agent_message::Kind::Load(Load { cpu_percent: 42.0, ..Load::default() })),
            from_agent(agent_message::Kind::Progress(Progress {
                wake_id: "w1".into(),
                attempt: 1,
                phase: Phase::Eligible.into(),
                ..Progress::default()
            })),
            from_agent(agent_message::Kind::Result(v1::Result {
                wake_id: "w1".into(),
                attempt: 1,
                outcome: Outcome::Woken.into(),
                ..v1::Result::default()
            })),
        ];
        let channel = Endpoint::from_shared(format!("http://{tap}")).expect("a URL").connect_lazy();
        let (send, stream) = mpsc::channel(8);
        let mut request = Request::new(ReceiverStream::new(stream));
        request.metadata_mut().insert("authorization", "Bearer t".parse().expect("ASCII"));
        let mut down = FleetClient::new(channel).session(request).await.expect("passed on").into_inner();
        send.send(messages[0].clone()).await.expect("open");
        let wake = down.next().await.expect("a message").expect("no error");
        assert!(matches!(wake.kind, Some(controller_message::Kind::Wake(_))));
        for message in &messages[1..] {
            send.send(message.clone()).await.expect("open");
        }
        for message in &messages {
            assert_eq!(hears.recv().await.as_ref(), Some(message));
        }
        recorder.finish().expect("written");
        let events = History::read(&path).expect("readable").events;
        let mut seen: Vec<Function> = events.iter().map(|event| event.f).collect();
        seen.sort_unstable();
        let expected = [
            Function::Preflight,
            Function::SlotGrant,
            Function::SlotRelease,
            Function::CommandSend,
            Function::LoadSample,
        ];
        assert_eq!(seen, expected);
        let load = events.iter().find(|event| event.f == Function::LoadSample).expect("seen");
        assert_eq!((load.number("cpu_percent"), load.k.host.as_deref()), (Some(42.0), Some("h1")));
    }
}
