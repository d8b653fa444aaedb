//! Hosts and instances as they are shown.

use super::desk::Desk;

#[tokio::test]
async fn a_host_without_a_session_is_closed() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1", "dev2"]).await;
    let hosts = desk.get("/v1/hosts").await.ok(200);
    let host = &hosts["items"][0];
    assert_eq!((&host["host_id"], &host["instances"]), (&"h1".into(), &2.into()));
    assert_eq!((&host["connected"], &host["gate"]), (&false.into(), &"disconnected".into()));
    assert!(host["cpu_percent"].is_null() && host["load_age_ms"].is_null(), "{host}");
}

#[tokio::test]
async fn a_controller_of_its_own_database_is_alone_and_leads() {
    let desk = Desk::open().await;
    let shown = desk.get("/v1/controllers").await.ok(200);
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1), "{shown}");
    let me = &shown["items"][0];
    assert_eq!((&me["leads"], &me["answers"]), (&true.into(), &true.into()));
    assert_eq!(me["controller_id"], desk.app.shared().controller.as_str());
}

#[tokio::test]
async fn instances_show_cohort_zone_and_whether_they_opted_out() {
    let desk = Desk::with(|config| config.model.time_zone = "Europe/Vienna".into()).await;
    desk.host("h1", &["dev1", "dev2"]).await;
    desk.ask("PUT", "/v1/policy/opted_out", r#"{"value":["dev2"]}"#).await.ok(200);
    let page = desk.get("/v1/instances?page_size=1").await.ok(200);
    let first = &page["items"][0];
    assert_eq!((&first["instance_id"], &first["opted_out"]), (&"dev1".into(), &false.into()));
    assert_eq!((&first["cohort"], &first["time_zone"]), (&"blue".into(), &"Europe/Vienna".into()));
    let rest = desk.get("/v1/instances?page_token=dev1").await.ok(200);
    assert_eq!((&rest["items"][0]["opted_out"], &rest["next_page_token"]), (&true.into(), &"".into()));
}
