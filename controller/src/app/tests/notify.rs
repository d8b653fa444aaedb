//! Receivers are told by HTTP and by SMTP, in order and at least once, whatever dies in between.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use reveille_proto::{
    HostId,
    edge::{AttemptResult, Effect as CallEffect, Outcome},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, method},
};

use super::*;
use crate::{
    config::{SmtpConfig, SmtpTls, WebhookConfig},
    notify::{Event as News, Secret},
    store::{NotificationFilter, NotificationRow},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secret_file(dir: &Path) -> PathBuf {
    let path = dir.join("webhook.secret");
    std::fs::write(&path, format!("{SECRET}\n")).expect("written");
    path
}

fn webhook(dir: &Path, name: &str, url: &str) -> WebhookConfig {
    WebhookConfig {
        name: name.into(),
        url: url.into(),
        secret_file: secret_file(dir),
        events: News::ALL.into(),
        instances: Vec::new(),
    }
}

async fn telling(dir: &Path, webhooks: Vec<WebhookConfig>) -> Running {
    let mut config = config(dir);
    config.notify.webhooks = webhooks;
    Running::start_with(dir, config).await
}

impl Running {
    /// A wake of `instance` that ends like this.
    async fn ends(&self, instance: &str, outcome: Outcome) -> WakeId {
        let id = self.request(instance).await;
        let (now, rule) = (self.shared.clock.now(), self.shared.config.wake.retry_rule());
        let sent = Event::Dispatch {
            host: HostId::new("h1").expect("valid"),
            epoch: 1,
            journal_id: "j1".into(),
            at: now,
            deadline_at: now + SignedDuration::from_mins(15),
            grant: "test".into(),
        };
        let result = AttemptResult {
            wake: id,
            epoch: 1,
            attempt: 1,
            outcome,
            effect: CallEffect::Accepted,
            detail: "said so".into(),
            at: now,
            called_at: Some(now),
            serving_at: Some(now).filter(|_| outcome == Outcome::Woken),
            retry_after_s: None,
            code: String::new(),
            retryable: false,
        };
        for event in [sent, Event::Result { result, at: now, jitter: 0.0 }] {
            self.shared.store.wake_step(id, &event, &rule).await.expect("stepped");
        }
        self.shared.signals.notify.notify_one();
        id
    }

    async fn notifications(&self) -> Vec<NotificationRow> {
        let filter = NotificationFilter { limit: 100, ..NotificationFilter::default() };
        self.shared.store.notifications_list(&filter).await.expect("readable")
    }

    /// The notifications once `level` holds for them.
    async fn notifications_when(&self, level: impl Fn(&[NotificationRow]) -> bool) -> Vec<NotificationRow> {
        let looking = async {
            loop {
                let rows = self.notifications().await;
                if level(&rows) {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let Ok(rows) = tokio::time::timeout(PATIENCE, looking).await else {
            panic!("not in time: {:?}", self.notifications().await);
        };
        rows
    }

    async fn all_delivered(&self) {
        let delivered = |rows: &[NotificationRow]| rows.iter().all(|row| row.state == "delivered");
        self.notifications_when(delivered).await;
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn said(request: &Request) -> (String, Value) {
    (header(request, "webhook-id").to_owned(), serde_json::from_slice(&request.body).expect("JSON"))
}

#[tokio::test]
async fn a_receiver_that_fails_first_is_told_again_and_in_order() {
    let server = MockServer::start().await;
    let fails = ResponseTemplate::new(500);
    Mock::given(method("POST")).respond_with(fails).up_to_n_times(1).with_priority(1).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).with_priority(2).mount(&server).await;
    let dir = tempfile::tempdir().expect("a directory");
    let controller = telling(dir.path(), vec![webhook(dir.path(), "chat", &server.uri())]).await;
    let first = controller.ends("dev1", Outcome::Woken).await;
    controller.notifications_when(|rows| rows[0].attempts == 1 && !rows[0].last_error.is_empty()).await;
    let second = controller.ends("dev1", Outcome::Failed).await;
    let other = controller.ends("dev2", Outcome::Woken).await;
    controller.all_delivered().await;

    let requests = server.received_requests().await.expect("recorded");
    let told: Vec<_> = requests.iter().map(said).collect();
    let ids: Vec<&str> = told.iter().map(|(id, _)| id.as_str()).collect();
    let of_dev1: Vec<_> = ids.iter().filter(|id| **id != format!("msg_{other}")).collect();
    let (first, second) = (format!("msg_{first}"), format!("msg_{second}"));
    assert_eq!(of_dev1, [&first, &first, &second], "again under the same id, and in order");
    assert_eq!(ids.len(), 4, "dev2 once: {ids:?}");
    let failed = &told.iter().find(|(id, _)| *id == second).expect("told").1;
    assert_eq!((&failed["type"], &failed["data"]["instance_id"]), (&"wake.failed".into(), &"dev1".into()));
    let secret: Secret = SECRET.parse().expect("a secret");
    for request in &requests {
        let at = header(request, "webhook-timestamp").parse().expect("seconds");
        let at = jiff::Timestamp::from_second(at).expect("a time");
        let body = std::str::from_utf8(&request.body).expect("text");
        let signed = secret.sign(header(request, "webhook-id"), at, body);
        assert_eq!(header(request, "webhook-signature"), signed);
    }
    controller.crash().await;
}

#[tokio::test]
async fn an_agents_word_becomes_a_message_and_one_bad_receiver_delays_no_other() {
    let (good, gone) = (MockServer::start().await, MockServer::start().await);
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&good).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(410)).mount(&gone).await;
    // It takes connections and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mute = format!("http://{}", mute.local_addr().expect("bound"));
    let dir = tempfile::tempdir().expect("a directory");
    let webhooks = [("good", good.uri()), ("gone", gone.uri()), ("mute", mute)];
    let webhooks = webhooks.iter().map(|(name, url)| webhook(dir.path(), name, url));
    let controller = telling(dir.path(), webhooks.collect()).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    controller.request("dev1").await;
    agent.load(&controller, 5.0).await;
    let wake = agent.next_wake().await;
    agent.served(&controller, &wake).await;
    agent.next_ack().await;
    let has = |rows: &[NotificationRow], receiver: &str, state: &str| {
        rows.iter().any(|row| row.receiver == receiver && row.state == state && row.attempts > 0)
    };
    controller
        .notifications_when(|rows| has(rows, "good", "delivered") && has(rows, "gone", "pending"))
        .await;
    let is_told = |rows: &[NotificationRow]| rows.iter().any(|row| row.last_error.contains("410"));
    let rows = controller.notifications_when(is_told).await;
    assert!(rows.iter().any(|row| row.receiver == "mute" && row.state == "pending"));

    controller.ends("dev2", Outcome::Woken).await;
    let delivered = |rows: &[NotificationRow]| rows.iter().filter(|row| row.state == "delivered").count();
    controller.notifications_when(|rows| delivered(rows) == 2).await;
    assert_eq!(gone.received_requests().await.expect("recorded").len(), 1, "nothing more is sent to it");
    controller.crash().await;
}

#[tokio::test]
async fn what_was_committed_and_not_sent_when_the_process_died_is_sent_after_the_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let controller = telling(dir.path(), vec![webhook(dir.path(), "chat", &url)]).await;
    let id = controller.ends("dev1", Outcome::Woken).await;
    // The delivery is under way, and nobody has answered it.
    let unanswered =
        tokio::time::timeout(PATIENCE, listener.accept()).await.expect("in time").expect("a connection");
    controller.crash().await;
    drop(unanswered);

    let server = MockServer::builder().listener(listener.into_std().expect("a socket")).start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let controller = telling(dir.path(), vec![webhook(dir.path(), "chat", &url)]).await;
    controller.all_delivered().await;
    let requests = server.received_requests().await.expect("recorded");
    assert_eq!(said(&requests[0]).0, format!("msg_{id}"));
    assert_eq!(controller.notifications().await[0].attempts, 2, "the try that was cut off counts");
    controller.crash().await;
}

/// Speaks SMTP with one client, and gives what it was told between DATA and the dot.
async fn mail_server(listener: TcpListener) -> (Vec<String>, String) {
    async fn say(stream: &mut BufReader<TcpStream>, line: &str) {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("written");
    }
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut stream = BufReader::new(stream);
    let (mut commands, mut letter, mut line) = (Vec::new(), String::new(), String::new());
    say(&mut stream, "220 mail.example.com ESMTP").await;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.expect("read") == 0 {
            return (commands, letter);
        }
        let command = line.trim_end().to_owned();
        match command.split(' ').next().unwrap_or_default() {
            "EHLO" => say(&mut stream, "250 mail.example.com").await,
            "DATA" => {
                say(&mut stream, "354 go on").await;
                loop {
                    line.clear();
                    stream.read_line(&mut line).await.expect("read");
                    if line == ".\r\n" {
                        break;
                    }
                    letter.push_str(&line);
                }
                say(&mut stream, "250 taken").await;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await;
                return (commands, letter);
            }
            _ => say(&mut stream, "250 ok").await,
        }
        commands.push(command);
    }
}

#[tokio::test]
async fn a_letter_goes_out_by_smtp() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = config(dir.path());
    config.notify.smtp = Some(SmtpConfig {
        host: "127.0.0.1".into(),
        port: Some(listener.local_addr().expect("bound").port()),
        tls: SmtpTls::None,
        from: "Reveille <reveille@example.com>".into(),
        to: vec!["ops@example.com".into(), "ann@example.com".into()],
        username: None,
        password_file: None,
        events: [News::WakeFailed].into(),
        instances: Vec::new(),
    });
    let served = tokio::spawn(mail_server(listener));
    let controller = Running::start_with(dir.path(), config).await;
    controller.ends("dev1", Outcome::Woken).await;
    let id = controller.ends("dev1", Outcome::TimedOut).await;
    controller.all_delivered().await;
    let (commands, letter) = tokio::time::timeout(PATIENCE, served).await.expect("in time").expect("served");
    for expected in
        ["MAIL FROM:<reveille@example.com>", "RCPT TO:<ops@example.com>", "RCPT TO:<ann@example.com>"]
    {
        assert!(commands.iter().any(|command| command.starts_with(expected)), "{expected}: {commands:?}");
    }
    assert!(letter.contains("Subject: Reveille: waking dev1 did not work: timed_out"), "{letter}");
    assert!(letter.contains(&format!("Message-ID: <msg_{id}@reveille>")), "{letter}");
    let encoded = letter.split("\r\n\r\n").nth(1).unwrap_or_default().replace("\r\n", "");
    let text = STANDARD
        .decode(encoded)
        .map_or_else(|_| letter.clone(), |text| String::from_utf8_lossy(&text).into());
    assert!(text.contains("wake.failed"), "{text}");
    let rows = controller.notifications().await;
    assert_eq!((rows.len(), rows[0].receiver.as_str()), (1, "smtp"), "who is ready is not told by mail here");
    controller.crash().await;
}
