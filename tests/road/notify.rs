//! A receiver is told although the controller is killed while it tells: under the same id, after the restart.

use std::{fs, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::harness::{Installation, until};

/// The gate stays closed while others take all of the CPU.
const WOKEN_S_MAX: u64 = 1200;
const TOLD_S_MAX: u64 = 60;

/// One request as it stands on the wire, up to the end of its body.
async fn request(stream: &mut TcpStream) -> (String, Value) {
    let mut read = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).await.expect("readable");
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return (head.to_ascii_lowercase(), body);
        }
        assert!(count > 0, "the request ends early: {text}");
    }
}

fn header(head: &str, name: &str) -> String {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

async fn accepted(listener: &TcpListener, within_s: u64) -> TcpStream {
    let accepted = timeout(Duration::from_secs(within_s), listener.accept()).await;
    accepted.expect("a connection in time").expect("a connection").0
}

#[tokio::test]
async fn a_kill_between_the_commit_and_the_answer_loses_no_notification() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("written");
    let webhooks = format!(
        "[{{name=\"chat\",url=\"http://{}/hook\",secret_file=\"{}\"}}]",
        listener.local_addr().expect("bound"),
        secret.path().display()
    );
    let mut road = Installation::write(1, 1, &[("REVEILLE_NOTIFY__WEBHOOKS", &webhooks)]).await;
    road.start_controller().await;
    road.start_agent().await;
    road.open_gate(1).await;

    let mut unanswered = accepted(&listener, WOKEN_S_MAX).await;
    let (head, body) = request(&mut unanswered).await;
    assert_eq!((&body["type"], &body["data"]["instance_id"]), (&"instance.ready".into(), &"dev1".into()));
    let id = header(&head, "webhook-id");
    let pending = road.ask(&["notifications", "list", "--state", "pending"]).await;
    assert_eq!(pending["items"][0]["message_id"], id.as_str(), "{pending}");
    road.take_controller().kill().await;
    drop(unanswered);

    road.start_controller().await;
    let mut answered = accepted(&listener, TOLD_S_MAX).await;
    let (head, again) = request(&mut answered).await;
    assert_eq!((header(&head, "webhook-id"), &again), (id, &body), "the same once more");
    let yes = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    answered.write_all(yes.as_bytes()).await.expect("answered");
    until("the notification is delivered", TOLD_S_MAX, async || {
        let list = road.ask(&["notifications", "list", "--instance", "dev1"]).await;
        let one = &list["items"][0];
        if one["state"] == "delivered" && one["attempts"] == 2 { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
}
