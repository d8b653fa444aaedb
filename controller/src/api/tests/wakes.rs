//! Asking for an instance, following the wake, calling it off.

use super::desk::Desk;

#[tokio::test]
async fn an_instance_must_be_known_and_listed() {
    let desk = Desk::open().await;
    let problem = desk.post("/v1/instances/dev1/wake").await.problem(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("configuration of the agent"), "{problem}");
    let id = reveille_proto::InstanceId::new("dev1").unwrap();
    desk.app.shared().store.instance_describe(&id, "blue", "").await.unwrap();
    let problem = desk.post("/v1/instances/dev1/wake").await.problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("no agent lists dev1"), "{problem}");
}

#[tokio::test]
async fn asking_twice_joins() {
    let desk = Desk::open().await;
    desk.host("h1", &["a/b:1"]).await;
    let first = desk.post("/v1/instances/a%2Fb:1/wake").await;
    let wake = first.ok(202);
    assert_eq!((&wake["instance_id"], &wake["joined"]), (&"a/b:1".into(), &false.into()));
    assert_eq!((&wake["state"], &wake["reason"]), (&"queued".into(), &"demand".into()));
    assert_eq!(wake["requested_by"], "ada");
    let again = desk.post("/v1/instances/a%2Fb:1/wake").await.ok(202);
    assert_eq!((&again["wake_id"], &again["joined"]), (&wake["wake_id"], &true.into()));
    let story = desk.get(first.header("location")).await.ok(200);
    assert_eq!(story["wake_id"], wake["wake_id"]);
    let events: Vec<_> = story["transitions"].as_array().unwrap().iter().map(|t| &t["event"]).collect();
    assert_eq!(events, ["created", "join"]);
}

#[tokio::test]
async fn an_operator_may_ask_too() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let wake = desk.ask("POST", "/v1/instances/dev1/wake", r#"{"reason":"operator"}"#).await.ok(202);
    assert_eq!(wake["reason"], "operator");
}

#[tokio::test]
async fn a_wake_is_called_off_once() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let wake = desk.post("/v1/instances/dev1/wake").await.ok(202);
    let path = format!("/v1/wakes/{}/cancel", wake["wake_id"].as_str().unwrap());
    let ended = desk.post(&path).await.ok(200);
    assert_eq!((&ended["state"], &ended["end"]), (&"ended".into(), &"cancelled".into()));
    assert!(ended["detail"].as_str().unwrap().contains("ada"), "{ended}");
    desk.post(&path).await.problem(409, "conflict");
    let nobody = "/v1/wakes/0195554f-7a00-7000-8000-000000000001";
    desk.post(&format!("{nobody}/cancel")).await.problem(404, "not_found");
    desk.get(nobody).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_wake_is_ended_by_force_and_its_instance_asked_for_anew() {
    let desk = Desk::open().await;
    desk.host("h1", &["dev1"]).await;
    let wake = desk.post("/v1/instances/dev1/wake").await.ok(202);
    let path = |what: &str| format!("/v1/wakes/{}/{what}", wake["wake_id"].as_str().unwrap());
    let problem = desk.post(&path("retry")).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("nothing to retry yet"), "{problem}");
    let ended = desk.post(&path("force")).await.ok(200);
    assert_eq!(ended["end"], "cancelled");
    assert!(ended["detail"].as_str().unwrap().contains("ended by ada while it was queued"), "{ended}");
    desk.post(&path("force")).await.problem(409, "conflict");
    let again = desk.post(&path("retry")).await.ok(202);
    assert_eq!((&again["reason"], &again["joined"]), (&"operator".into(), &false.into()));
    assert_ne!(again["wake_id"], wake["wake_id"]);
}

#[tokio::test]
async fn a_full_queue_takes_no_new_wake_but_lets_join() {
    let desk = Desk::with(|config| config.wake.queue_depth_max = 1).await;
    desk.host("h1", &["dev1", "dev2"]).await;
    desk.post("/v1/instances/dev1/wake").await.ok(202);
    let full = desk.post("/v1/instances/dev2/wake").await;
    full.problem(503, "unavailable");
    assert_eq!(full.header("retry-after"), "30");
    assert_eq!(desk.post("/v1/instances/dev1/wake").await.ok(202)["joined"], true);
}

#[tokio::test]
async fn pages_give_every_wake_once_newest_first() {
    let desk = Desk::open().await;
    let names: Vec<String> = (0..5).map(|i| format!("dev{i}")).collect();
    desk.host("h1", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut asked = Vec::new();
    for name in &names {
        let wake = desk.post(&format!("/v1/instances/{name}/wake")).await.ok(202);
        asked.push(wake["wake_id"].as_str().unwrap().to_owned());
    }
    asked.sort();
    asked.reverse();
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = desk.get(&format!("/v1/wakes?page_size=2{token}")).await.ok(200);
        let items = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()), "{page}");
        seen.extend(items.iter().map(|wake| wake["wake_id"].as_str().unwrap().to_owned()));
        let next = page["next_page_token"].as_str().unwrap();
        if next.is_empty() {
            break;
        }
        token = format!("&page_token={next}");
    }
    assert_eq!(seen, asked);
    let one = desk.get("/v1/wakes?state=queued&instance=dev3&reason=demand").await.ok(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    let none = desk.get("/v1/wakes?state=ended").await.ok(200);
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
}
