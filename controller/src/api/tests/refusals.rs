//! Whatever is refused is a problem that says what is wrong.

use super::desk::Desk;

#[tokio::test]
async fn unknown_routes_and_methods() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/nowhere").await.problem(404, "no_such_route")["instance"], "/nowhere");
    desk.ask("DELETE", "/v1/hosts", "").await.problem(405, "no_such_method");
    desk.ask("POST", "/livez", "").await.problem(405, "no_such_method");
}

#[tokio::test]
async fn bad_queries_name_the_part() {
    let desk = Desk::open().await;
    for (path, part) in [
        ("/v1/wakes?state=asleep", "state"),
        ("/v1/wakes?page_size=1001", "page_size"),
        ("/v1/wakes?page_size=many", "page_size"),
        ("/v1/wakes?page_token=x", "page_token"),
        ("/v1/wakes?colour=red", "colour"),
        ("/v1/wakes/nonsense", "nonsense"),
        ("/v1/forecast?within=-1h", "within"),
        ("/v1/forecast?within=30d", "within"),
        ("/v1/forecast?at=noon", "at"),
        ("/v1/forecast?min_probability=2", "min_probability"),
        ("/v1/report?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
    ] {
        let problem = desk.get(path).await.problem(400, "invalid");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{path}: {problem}");
    }
}

#[tokio::test]
async fn bad_bodies_are_told() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let wake = "/v1/instances/dev1/wake";
    desk.ask("POST", wake, "{").await.problem(400, "invalid");
    desk.ask("POST", wake, r#"{"raison":"demand"}"#).await.problem(400, "invalid");
    let problem = desk.ask("POST", wake, r#"{"reason":"forecast"}"#).await.problem(400, "invalid");
    assert_eq!(problem["field"], "reason");
    desk.ask("PUT", "/v1/policy/mode", "").await.problem(400, "invalid");
    let large = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    desk.ask("POST", wake, &large).await.problem(413, "invalid");
}

#[tokio::test]
async fn a_users_name_has_bounds() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let request = axum::http::Request::post("/v1/instances/dev1/wake")
        .header("authorization", format!("Bearer {}", desk.operator))
        .header("x-reveille-user", "x".repeat(101))
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(desk.send(request).await.problem(400, "invalid")["field"], "x-reveille-user");
}
