//! TLS between agents and a controller: the real ones, on loopback.

use std::{net::SocketAddr, path::Path, time::Duration};

use reveille_agent::app::{Agent, Seams as AgentSeams};
use reveille_controller::{
    app::{App, Seams, Shared},
    config::{Config, TlsConfig},
    tls::Certificates,
};
use reveille_proto::{
    PROTOCOL_VERSION,
    clock::Clock,
    v1::{self, agent_message, fleet_client::FleetClient},
};
use tokio_stream::StreamExt as _;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Streaming,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use super::{Authority, Certified};
use crate::crash::node::Calm;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const HOST: &str = "host-1";

struct Installed {
    shared: Shared,
    http: SocketAddr,
    grpc: SocketAddr,
    token: String,
    _stop: DropGuard,
}

fn tls(own: &Certified, clients: Option<&Authority>) -> TlsConfig {
    TlsConfig {
        certificate_file: Some(own.certificate.clone()),
        key_file: Some(own.key.clone()),
        client_ca_file: clients.map(|authority| authority.certificate.clone()),
    }
}

async fn controller(dir: &Path, tls: TlsConfig) -> Installed {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = Config { tls, ..Config::default() };
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.grpc = ([127, 0, 0, 1], 0).into();
    config.store.data_dir = Some(dir.join("controller"));
    let app = App::build(config, Seams::new(Clock::system(), 1)).await.expect("builds");
    let (shared, http, grpc) = (app.shared().clone(), app.http_addr(), app.grpc_addr());
    let token = std::fs::read_to_string(dir.join("controller").join("agent.token")).expect("a token");
    let stop = CancellationToken::new();
    tokio::spawn(app.run(stop.clone()));
    Installed { shared, http, grpc, token: token.trim().to_owned(), _stop: stop.drop_guard() }
}

/// Who dials, and whom they trust.
#[derive(Clone, Copy)]
struct Client<'a> {
    address: &'a str,
    ca: Option<&'a Authority>,
    own: Option<&'a Certified>,
}

impl Client<'_> {
    /// Begins a session as [`HOST`], and ends it; an error is told with all its causes.
    async fn hello(&self, controller: &Installed) -> Result<(), String> {
        self.session(controller, HOST).await.map(drop)
    }

    /// Begins a session that lasts as long as what is returned.
    async fn session(
        &self,
        controller: &Installed,
        host: &str,
    ) -> Result<Streaming<v1::ControllerMessage>, String> {
        let mut endpoint = Endpoint::from_shared(self.address.to_owned()).map_err(|e| chain(&e))?;
        if let Some(ca) = self.ca {
            let pem = |path: &Path| std::fs::read(path).expect("a file");
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem(&ca.certificate)));
            if let Some(own) = self.own {
                tls = tls.identity(Identity::from_pem(pem(&own.certificate), pem(&own.key)));
            }
            endpoint = endpoint.tls_config(tls).map_err(|e| chain(&e))?;
        }
        let hello = v1::Hello {
            protocol_version: PROTOCOL_VERSION,
            host_id: host.into(),
            journal_id: "journal".into(),
            cores: 2.0,
            ..v1::Hello::default()
        };
        let kind = Some(agent_message::Kind::Hello(hello));
        let hello = tokio_stream::once(v1::AgentMessage { kind });
        let mut request = Request::new(hello.chain(tokio_stream::pending()));
        let bearer = format!("Bearer {}", controller.token).parse().expect("a header");
        request.metadata_mut().insert("authorization", bearer);
        let asked = async {
            let channel = endpoint.connect().await.map_err(|e| chain(&e))?;
            match FleetClient::new(channel).session(request).await {
                Ok(session) => Ok(session.into_inner()),
                Err(status) if status.code() == Code::PermissionDenied => Err(status.message().to_owned()),
                Err(status) => Err(chain(&status)),
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("an answer")
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn an_agent_that_shows_a_certificate_of_its_host_is_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let own = authority.certify(&["127.0.0.1"]).expect("certified");
    let agents = authority.certify(&[HOST]).expect("certified");
    let controller = controller(dir.path(), tls(&own, Some(&authority))).await;
    let path = |path: &Path| serde_json::Value::from(path.to_string_lossy().into_owned()).to_string();
    let text = format!(
        "host_id = \"{HOST}\"\nstate_dir = {}\n[controller]\naddress = \"https://{}\"\ntoken_file = {}\n\
         ca_file = {}\ncertificate_file = {}\nkey_file = {}\n",
        path(&dir.path().join("agent")),
        controller.grpc,
        path(&dir.path().join("controller").join("agent.token")),
        path(&authority.certificate),
        path(&agents.certificate),
        path(&agents.key),
    );
    let file = dir.path().join("agent.toml");
    std::fs::write(&file, text).expect("written");
    let config = reveille_agent::config::Config::load(Some(&file)).expect("a configuration");
    let agent =
        Agent::build(config, AgentSeams::new(Clock::system(), Box::new(Calm), 1)).await.expect("builds");
    let stop = CancellationToken::new();
    tokio::spawn(agent.run(stop.clone()));
    let _stop = stop.drop_guard();
    let taken = async {
        while controller.shared.fleet.connected() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("a session");
}

#[tokio::test]
async fn whoever_cannot_be_trusted_gets_no_session_and_a_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let stranger = Authority::new(dir.path(), "stranger").expect("an authority");
    let own = authority.certify(&["127.0.0.1"]).expect("certified");
    let controller = controller(dir.path(), tls(&own, Some(&authority))).await;
    let host = authority.certify(&[HOST]).expect("certified");
    let other = authority.certify(&["host-2"]).expect("certified");
    let forged = stranger.certify(&["forged", HOST]).expect("certified");
    let past = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = authority.certify_with(&["expired", HOST], past).expect("certified");
    let port = controller.grpc.port();
    let (address, by_name) = (format!("https://127.0.0.1:{port}"), format!("https://localhost:{port}"));
    let plain = format!("http://127.0.0.1:{port}");
    let fine = Client { address: &address, ca: Some(&authority), own: Some(&host) };
    let refused = [
        (Client { ca: Some(&stranger), ..fine }, "UnknownIssuer"),
        (Client { address: &by_name, ..fine }, "not valid for name"),
        (Client { own: None, ..fine }, "must show a certificate"),
        (Client { own: Some(&other), ..fine }, "does not name host-1"),
        // The controller only closes on those: why stands in an alert, which not every client hears in time.
        (Client { own: Some(&forged), ..fine }, ""),
        (Client { own: Some(&expired), ..fine }, ""),
        (Client { address: &plain, ca: None, own: None }, ""),
    ];
    for (n, (client, why)) in refused.into_iter().enumerate() {
        let error = client.hello(&controller).await.expect_err("refused");
        assert!(error.contains(why), "case {n}: {error}");
        fine.hello(&controller).await.expect("the controller goes on");
    }
    // What the controller itself turned away: by the certificate shown, or for speaking no TLS.
    let mut figures = String::new();
    controller.shared.metrics.encode(&mut figures).expect("encodes");
    let turned_away = |line: &str| {
        line.strip_prefix("reveille_tls_handshakes_failed_total{listener=\"grpc\",reason=\"refused\"} ")
            .and_then(|count| count.parse::<u32>().ok())
    };
    assert!(figures.lines().find_map(turned_away).is_some_and(|count| count >= 3), "{figures}");
}

#[tokio::test]
async fn agents_take_no_expired_controller_and_none_in_the_clear() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let past = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let own = authority.certify_with(&["127.0.0.1"], past).expect("certified");
    let expired = controller(&dir.path().join("expired"), tls(&own, None)).await;
    let plain = controller(&dir.path().join("plain"), TlsConfig::default()).await;
    // A listener without TLS answers no handshake: what the client makes of that is its own affair.
    for (controller, why) in [(expired, "xpired"), (plain, "")] {
        let address = format!("https://{}", controller.grpc);
        let client = Client { address: &address, ca: Some(&authority), own: None };
        let error = client.hello(&controller).await.expect_err("refused");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_stalls_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let own = authority.certify(&["127.0.0.1"]).expect("certified");
    let controller = controller(dir.path(), tls(&own, None)).await;
    let address = format!("https://{}", controller.grpc);
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(tokio::net::TcpStream::connect(controller.grpc).await.expect("connected"));
    }
    let client = Client { address: &address, ca: Some(&authority), own: None };
    client.hello(&controller).await.expect("a session beside them");
    drop(stalled);
}

#[tokio::test]
async fn the_api_speaks_tls_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let own = authority.certify(&["127.0.0.1"]).expect("certified");
    let controller = controller(dir.path(), tls(&own, Some(&authority))).await;
    let pem = std::fs::read(&authority.certificate).expect("a file");
    let trusting = reqwest::Certificate::from_pem_bundle(&pem).expect("a certificate");
    let client = reqwest::Client::builder().tls_certs_only(trusting).build().expect("a client");
    let live = client.get(format!("https://{}/livez", controller.http)).send().await.expect("an answer");
    assert!(live.status().is_success(), "{live:?}");
    let plain = client.get(format!("http://{}/livez", controller.http)).send().await;
    assert!(plain.is_err(), "{plain:?}");
    let token = dir.path().join("controller").join("operator.token");
    let args = ["reveille", "hosts", "--output", "json", "--address"].map(Into::into).into_iter();
    let args: Vec<std::ffi::OsString> = args
        .chain([format!("https://{}", controller.http).into(), "--token-file".into(), token.into()])
        .chain(["--ca-file".into(), authority.certificate.clone().into()])
        .collect();
    let code = reveille_controller::cli::main_with(args).await;
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}

#[tokio::test]
async fn a_replaced_certificate_is_taken_up_while_the_controller_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Authority::new(dir.path(), "first").expect("an authority");
    let second = Authority::new(dir.path(), "second").expect("an authority");
    let own = first.certify(&["127.0.0.1"]).expect("certified");
    let controller = controller(dir.path(), tls(&own, None)).await;
    let address = format!("https://{}", controller.grpc);
    let before = Client { address: &address, ca: Some(&first), own: None };
    let mut lasting = before.session(&controller, "host-2").await.expect("a session");
    let client = Client { address: &address, ca: Some(&second), own: None };
    client.hello(&controller).await.expect_err("not yet");
    second.certify(&["127.0.0.1"]).expect("certified over the old files");
    let taken_up = async {
        while client.hello(&controller).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken_up).await.expect("taken up");
    before.hello(&controller).await.expect_err("the old one is gone");
    // The session from before is told what happens after.
    let changed = reveille_controller::api::Control::new(controller.shared.clone());
    changed.policy_set("cpu_ceiling_percent", "55", "test").await.expect("set");
    let told = async {
        loop {
            let message = lasting.message().await.expect("no error").expect("not the end");
            if let Some(v1::controller_message::Kind::Configure(told)) = message.kind
                && told.cpu_ceiling_percent < 56.0
            {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("told");
}

#[test]
fn files_that_cannot_be_used_leave_the_certificate_in_service_and_are_named_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(dir.path(), "authority").expect("an authority");
    let own = authority.certify(&["127.0.0.1"]).expect("certified");
    let config = tls(&own, Some(&authority));
    let certificates = Certificates::read(&config).expect("readable").expect("some");
    assert!(!certificates.renew().expect("nothing changed"));
    let key = std::fs::read(&own.key).expect("a key");
    std::fs::write(&own.key, "no key").expect("written");
    let error = certificates.renew().expect_err("unusable").to_string();
    assert!(error.contains("tls.key_file") && error.contains("server.key"), "{error}");
    assert!(!certificates.renew().expect("told once"));
    let other =
        Authority::new(dir.path(), "other").expect("an authority").certify(&["other"]).expect("certified");
    std::fs::copy(&other.key, &own.key).expect("copied");
    let error = certificates.renew().expect_err("the key of another certificate");
    assert!(chain(&error).contains("tls.key_file"), "{}", chain(&error));
    std::fs::write(&own.key, key).expect("written");
    assert!(certificates.renew().expect("usable again"));
    assert!(Certificates::read(&TlsConfig::default()).expect("nothing to read").is_none());
    let missing = TlsConfig { key_file: Some(dir.path().join("missing")), ..config };
    let error = Certificates::read(&missing).expect_err("missing").to_string();
    assert!(error.contains("tls.key_file") && error.contains("missing"), "{error}");
}
