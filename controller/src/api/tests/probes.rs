//! What a prober and a scraper see.

use super::desk::Desk;

#[tokio::test]
async fn ready_follows_tasks_and_database() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/livez").await.status.as_u16(), 200);
    let starting = desk.get("/readyz").await.ok(503);
    assert_eq!((&starting["store"], &starting["tasks"]), (&true.into(), &false.into()));
    desk.ready.send_replace(true);
    assert_eq!(desk.get("/readyz").await.ok(200)["ready"], true);
    desk.app.shared().store.close().await;
    let closed = desk.get("/readyz").await.ok(503);
    assert_eq!((&closed["store"], &closed["tasks"]), (&false.into(), &true.into()));
    assert_eq!(desk.get("/livez").await.status.as_u16(), 200);
    desk.get("/v1/hosts").await.problem(500, "internal");
    let scrape = desk.get("/metrics").await;
    for line in ["reveille_store_up 0", "reveille_load_reports_total 0", "reveille_hosts_connected 0"] {
        assert!(scrape.text.lines().any(|l| l == line), "{line} is missing in\n{}", scrape.text);
    }
    assert!(!scrape.text.contains("reveille_wakes_open") && scrape.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_scrape_is_whole_and_counts_wakes() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1", "dev2"]).await;
    desk.post("/v1/instances/dev1/wake").await.ok(202);
    let wake = desk.post("/v1/instances/dev2/wake").await.ok(202);
    desk.post(&format!("/v1/wakes/{}/cancel", wake["wake_id"].as_str().unwrap())).await.ok(200);
    let scrape = desk.get("/metrics").await;
    assert!(scrape.header("content-type").starts_with("application/openmetrics-text"));
    assert!(scrape.text.ends_with("# EOF\n"));
    assert_eq!(scrape.text.matches("# EOF").count(), 1);
    for line in [
        "reveille_wakes_open{state=\"queued\"} 1",
        "reveille_wakes_open{state=\"calling\"} 0",
        "reveille_wakes_ended_last_day{end=\"cancelled\"} 1",
        "reveille_permits_held 0",
        "reveille_hosts_connected 0",
        "reveille_http_requests_total{method=\"POST\",route=\"/v1/instances/{instance_id}/wake\",status=\"202\"} 2",
    ] {
        assert!(scrape.text.lines().any(|l| l == line), "{line} is missing in\n{}", scrape.text);
    }
}
