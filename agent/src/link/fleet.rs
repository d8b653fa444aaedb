//! A controller for the tests of this room: a real server on loopback, driven message by message.

use std::{net::SocketAddr, pin::Pin};

use reveille_proto::v1::{
    self, AgentMessage, ControllerMessage,
    agent_message::Kind,
    controller_message,
    fleet_server::{Fleet, FleetServer},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming};

/// The server; sessions come out as agents dial in.
pub(crate) struct FakeController {
    pub(crate) address: SocketAddr,
    sessions: mpsc::Receiver<FakeSession>,
    server: JoinHandle<()>,
}

/// One agent's stream.
pub(crate) struct FakeSession {
    pub(crate) authorization: Option<String>,
    up: Streaming<AgentMessage>,
    down: mpsc::Sender<Result<ControllerMessage, Status>>,
}

struct Service(mpsc::Sender<FakeSession>);

#[tonic::async_trait]
impl Fleet for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<ControllerMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let authorization =
            request.metadata().get("authorization").and_then(|v| v.to_str().ok()).map(Into::into);
        let (down, messages) = mpsc::channel(100);
        let session = FakeSession { authorization, up: request.into_inner(), down };
        self.0.send(session).await.map_err(|_| Status::unavailable("nobody takes agents"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

impl FakeController {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (service, sessions) = mpsc::channel(10);
        let serving = tonic::transport::Server::builder()
            .add_service(FleetServer::new(Service(service)))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { serving.await.expect("serves") });
        Self { address, sessions, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next agent that dials in.
    pub(crate) async fn session(&mut self) -> FakeSession {
        self.sessions.recv().await.expect("the server lives")
    }

    /// The next agent, welcomed, with its hello.
    pub(crate) async fn welcomed(&mut self, epoch: u64) -> (FakeSession, v1::Hello) {
        let mut session = self.session().await;
        let Kind::Hello(hello) = session.next().await else { panic!("a hello comes first") };
        session.send(welcome(epoch)).await;
        (session, hello)
    }
}

impl Drop for FakeController {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeSession {
    pub(crate) async fn send(&self, kind: controller_message::Kind) {
        self.down.send(Ok(ControllerMessage { kind: Some(kind) })).await.expect("the agent listens");
    }

    pub(crate) async fn next(&mut self) -> Kind {
        let message = self.up.next().await.expect("the stream goes on").expect("a message");
        message.kind.expect("a kind this test knows")
    }

    pub(crate) async fn result(&mut self) -> v1::Result {
        loop {
            if let Kind::Result(result) = self.next().await {
                return result;
            }
        }
    }

    pub(crate) async fn load(&mut self) -> v1::Load {
        loop {
            if let Kind::Load(load) = self.next().await {
                return load;
            }
        }
    }
}

pub(crate) fn welcome(epoch: u64) -> controller_message::Kind {
    controller_message::Kind::Welcome(v1::Welcome {
        protocol_version: reveille_proto::PROTOCOL_VERSION,
        controller_version: "test".into(),
        epoch,
        configure: Some(v1::Configure {
            load_interval_ms: 1000,
            cpu_ceiling_percent: 90.0,
            wakes_max: 10,
            stopped: false,
        }),
    })
}
