//! Commands against a running controller: what it answers becomes output or an exit code.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    client::Client,
    failure::Failure,
    target::{Secret, Target},
};
use crate::{
    api::view::{HostView, Items},
    app::{App, Seams},
    config::Config,
};

fn client(address: &str, token: Option<&str>) -> Client {
    // Fails only when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = Target {
        address: address.parse().unwrap(),
        token: token.map(|token| Secret(token.to_owned())),
        token_place: "the test".into(),
        ca_file: None,
    };
    Client::new(target).unwrap()
}

#[tokio::test]
async fn answers_and_refusals_of_a_controller() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.store.data_dir = Some(dir.path().to_owned());
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.grpc = ([127, 0, 0, 1], 0).into();
    let app = App::build(config, Seams::production()).await.unwrap();
    let address = format!("http://{}", app.http_addr());
    let token = std::fs::read_to_string(&app.tokens().operator_path).unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(app.run(shutdown.clone()));

    let operator = client(&address, Some(token.trim()));
    let hosts: Items<HostView> = operator.get(&["hosts"], &[]).await.unwrap().read().unwrap();
    assert!(hosts.items.is_empty());
    let exit = |refused: Result<super::client::Answer, Failure>| refused.unwrap_err().exit();
    let wake = ["instances", "a/b ?#", "wake"];
    assert_eq!(exit(operator.send_body(reqwest::Method::POST, &wake, &()).await), Exit::Input);
    let wake = ["instances", "a/b", "wake"];
    let unknown = operator.send_body(reqwest::Method::POST, &wake, &serde_json::json!({})).await.unwrap_err();
    assert_eq!(unknown.exit(), Exit::No);
    assert!(unknown.to_string().contains("there is no instance a/b"), "{unknown}");
    assert_eq!(exit(operator.get(&["wakes"], &[("state", "x".into())]).await), Exit::Input);
    let refused = client(&address, Some("wrong")).get(&["hosts"], &[]).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::NotPermitted);
    assert!(refused.to_string().contains("read from the test"), "{refused}");
    let refused = client(&address, None).get(&["hosts"], &[]).await.unwrap_err();
    assert!(refused.to_string().contains("looked for in the test"), "{refused}");

    shutdown.cancel();
    running.await.unwrap().unwrap();
    let gone = operator.get(&["hosts"], &[]).await.unwrap_err();
    assert_eq!(gone.exit(), Exit::Unreachable);
    assert!(gone.to_string().contains("reveille serve"), "{gone}");
}

#[tokio::test]
async fn something_else_at_the_address_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        socket.write_all(answer).await.unwrap();
    });
    let refused = client(&address, None).get(&["hosts"], &[]).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Internal);
    assert!(refused.to_string().contains("is it a Reveille controller?"), "{refused}");
}
