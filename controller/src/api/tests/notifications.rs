//! What receivers are told is listed, and counted for scrapers.

use jiff::SignedDuration;

use super::desk::Desk;
use crate::{config::WebhookConfig, notify::Event as News, wake::Event};

#[tokio::test]
async fn what_is_to_be_told_is_listed_and_counted() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let webhook = |name: &str, events: &[News]| WebhookConfig {
        name: name.into(),
        url: "http://127.0.0.1:9/".into(),
        secret_file: secret.path().to_owned(),
        events: events.iter().copied().collect(),
        instances: Vec::new(),
    };
    let webhooks = vec![webhook("chat", &News::ALL), webhook("pager", &[News::BudgetSpent])];
    let desk = Desk::with(|config| config.notify.webhooks = webhooks).await;
    assert_eq!(desk.get("/v1/notifications").await.ok(200)["items"].as_array().unwrap().len(), 0);
    desk.host("h1", &["dev1"]).await;
    let wake = desk.post("/v1/instances/dev1/wake").await.ok(202);
    let id = wake["wake_id"].as_str().unwrap();
    let shared = desk.app.shared();
    let expired =
        Event::Tick { at: desk.now() + SignedDuration::from_hours(1), host_connected: true, held_by: None };
    let rule = shared.config.wake.retry_rule();
    shared.store.wake_step(id.parse().unwrap(), &expired, &rule).await.unwrap();

    let list = desk.get("/v1/notifications?state=pending&instance=dev1&page_size=5").await.ok(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &list["next_page_token"]), (1, &"".into()));
    let one = &items[0];
    assert_eq!((&one["receiver"], &one["event"]), (&"chat".into(), &"wake.failed".into()));
    assert_eq!(one["message_id"], format!("msg_{id}"));
    assert_eq!((&one["attempts"], &one["last_error"], &one["ended_at"]), (&0.into(), &().into(), &().into()));
    for nothing in ["receiver=pager", "state=delivered", "instance=dev2", "page_token=1"] {
        let list = desk.get(&format!("/v1/notifications?{nothing}")).await.ok(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 0, "{nothing}");
    }
    let problem = desk.get("/v1/notifications?state=lost").await.problem(400, "invalid");
    assert_eq!(problem["field"], "state");
    let scrape = desk.get("/metrics").await;
    for line in [
        "reveille_notifications_pending{receiver=\"chat\"} 1",
        "reveille_notifications_pending{receiver=\"pager\"} 0",
    ] {
        assert!(scrape.text.lines().any(|l| l == line), "{line} is missing in\n{}", scrape.text);
    }
}
