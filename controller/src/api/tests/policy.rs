//! The policy is changed at run time, and every change is on record.

use serde_json::Value;

use super::desk::Desk;

fn entry<'a>(policy: &'a Value, key: &str) -> &'a Value {
    let entries = policy["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["key"] == key).unwrap()
}

#[tokio::test]
async fn a_change_is_in_force_and_on_record() {
    let desk = Desk::open().await;
    let before = desk.get("/v1/policy").await.ok(200);
    assert_eq!(entry(&before, "mode")["value"], "forecast-only");
    assert!(entry(&before, "mode")["changed_at"].is_null());
    let after = desk.ask("PUT", "/v1/policy/mode", r#"{"value":"act"}"#).await.ok(200);
    assert_eq!(
        (&entry(&after, "mode")["value"], &entry(&after, "mode")["changed_by"]),
        (&"act".into(), &"ada".into())
    );
    assert_eq!(desk.app.shared().policy().mode, crate::policy::Mode::Act);
    desk.ask("PUT", "/v1/policy/host_wakes_max", r#"{"value":3}"#).await.ok(200);
    desk.ask("PUT", "/v1/policy/fleet_wakes_max", r#"{"value":"5"}"#).await.ok(200);
    let policy = desk.app.shared().policy();
    assert_eq!((policy.host_wakes_max, policy.fleet_wakes_max), (3, 5));
    let changes = desk.get("/v1/policy/changes?page_size=2").await.ok(200);
    let keys: Vec<_> = changes["items"].as_array().unwrap().iter().map(|change| &change["key"]).collect();
    assert_eq!(keys, ["fleet_wakes_max", "host_wakes_max"]);
}

#[tokio::test]
async fn a_key_goes_back_to_what_the_configuration_says_and_that_is_on_record() {
    let desk = Desk::with(|config| config.policy.host_wakes_max = 7).await;
    desk.ask("PUT", "/v1/policy/host_wakes_max", r#"{"value":3}"#).await.ok(200);
    desk.ask("PUT", "/v1/policy/mode", r#"{"value":"act"}"#).await.ok(200);
    let after = desk.ask("DELETE", "/v1/policy/host_wakes_max", "").await.ok(200);
    assert_eq!(entry(&after, "host_wakes_max")["value"], 7);
    assert!(entry(&after, "host_wakes_max")["changed_at"].is_null());
    let policy = desk.app.shared().policy();
    assert_eq!((policy.host_wakes_max, policy.mode), (7, crate::policy::Mode::Act));
    desk.ask("DELETE", "/v1/policy/host_wakes_max", "").await.ok(200);
    let changes = desk.get("/v1/policy/changes").await.ok(200);
    let newest = &changes["items"].as_array().unwrap()[0];
    assert_eq!((&newest["key"], &newest["changed_by"]), (&"host_wakes_max".into(), &"ada".into()));
    assert_eq!((&newest["old_value"], &newest["new_value"]), (&"3".into(), &"7".into()));
    assert_eq!(changes["items"].as_array().unwrap().len(), 3, "what changed nothing is not on record");
    desk.ask("DELETE", "/v1/policy/cpu", "").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let desk = Desk::open().await;
    let problem =
        desk.ask("PUT", "/v1/policy/cpu_ceiling_percent", r#"{"value":150}"#).await.problem(400, "invalid");
    assert_eq!(problem["field"], "cpu_ceiling_percent");
    let problem = desk.ask("PUT", "/v1/policy/cpu", r#"{"value":50}"#).await.problem(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("cpu_ceiling_percent"), "{problem}");
    assert_eq!(*desk.app.shared().policy(), crate::policy::Policy::default());
    assert_eq!(desk.get("/v1/policy/changes").await.ok(200)["items"].as_array().unwrap().len(), 0);
}
