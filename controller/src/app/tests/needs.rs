//! An instance that needs another: in order, with the reason when it cannot be, and across two controllers.

use super::*;
use crate::{postgres::Server, store::DatabaseUrl};

fn id(name: &str) -> InstanceId {
    InstanceId::new(name).expect("valid")
}

/// `app` needs `db`.
fn needing(config: Config) -> Config {
    let app = InstanceConfig {
        id: id("app"),
        cohort: String::new(),
        time_zone: String::new(),
        needs: vec![id("db")],
    };
    Config { instances: vec![app], ..config }
}

async fn of_host(controller: &Running, host: &str, instances: &[&str]) -> FakeAgent {
    let item = |name: &&str| v1::InventoryItem { instance_id: (*name).into(), ..Default::default() };
    let hello = v1::Hello {
        host_id: host.into(),
        inventory: instances.iter().map(item).collect(),
        ..hello(PROTOCOL_VERSION)
    };
    FakeAgent::connect(controller, hello, &controller.token).await.expect("connects")
}

#[tokio::test]
async fn what_an_instance_needs_is_woken_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start_with(dir.path(), needing(config(dir.path()))).await;
    let mut agent = of_host(&controller, "h1", &["app", "db"]).await;
    agent.load(&controller, 10.0).await;
    Control::new(controller.shared.clone())
        .wake_instance(&id("app"), "ann", Reason::Demand)
        .await
        .expect("asked for");
    let first = agent.next_wake().await;
    assert_eq!(first.instance_id, "db");
    agent.load(&controller, 10.1).await;
    controller.gate_closed("needs").await;
    agent.served(&controller, &first).await;
    let now = controller.shared.clock.now().as_millisecond();
    let seen = v1::InstanceLoad { index: 1, observed: v1::Observed::Serving.into(), cores: None };
    let load = v1::Load {
        measured_at_ms: now,
        cpu_percent: 10.2,
        cores: 8.0,
        instances: vec![seen],
        ..Default::default()
    };
    agent.say(Up::Load(load)).await;
    assert_eq!(agent.next_wake().await.instance_id, "app");
    controller.crash().await;
}

#[tokio::test]
async fn what_needs_an_instance_that_cannot_be_woken_ends_with_that_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let controller = Running::start_with(dir.path(), needing(config(dir.path()))).await;
    let mut agent = of_host(&controller, "h1", &["app", "db"]).await;
    agent.load(&controller, 10.0).await;
    let control = Control::new(controller.shared.clone());
    let asked = control.wake_instance(&id("app"), "ann", Reason::Demand).await.expect("asked for");
    assert_eq!(asked.wake.detail, "db, which it needs, does not serve yet");
    let command = agent.next_wake().await;
    assert_eq!(command.instance_id, "db");
    agent.failed(&controller, &command, "").await;
    let app = asked.wake.wake_id.parse().expect("an id");
    let ended = controller.wake_when(app, |wake| wake.state.ended().is_some()).await;
    assert_eq!(ended.state.ended(), Some(End::Cancelled));
    assert!(ended.detail.contains("the wake of db ended as failed (it answered 400)"), "{}", ended.detail);
    controller.crash().await;
}

#[tokio::test]
async fn what_an_instance_needs_may_be_seen_by_another_controller() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: needs across two controllers (PostgreSQL is not here)");
        return;
    };
    let database = DatabaseUrl::new(server.url("postgres"));
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let mut both = Vec::new();
    for dir in &dirs {
        let mut config = needing(config(dir.path()));
        config.store.database_url = Some(database.clone());
        both.push(Running::start_with(dir.path(), config).await);
    }
    let [first, second] = <[Running; 2]>::try_from(both).map_err(drop).expect("two");
    let mut db = of_host(&first, "h1", &["db"]).await;
    let mut app = of_host(&second, "h2", &["app"]).await;
    db.load(&first, 10.0).await;
    app.load(&second, 10.0).await;
    let control = Control::new(second.shared.clone());
    control.wake_instance(&id("app"), "ann", Reason::Demand).await.expect("asked for");
    let needed = db.next_wake().await;
    assert_eq!(needed.instance_id, "db");
    second.gate_closed("needs").await;
    db.served(&first, &needed).await;
    assert_eq!(app.next_wake().await.instance_id, "app");

    // The host of the other controller is not said to be gone.
    let hosts = control.hosts().await.expect("readable");
    let h1 = hosts.iter().find(|host| host.host_id == "h1").expect("known");
    assert_eq!((h1.connected, h1.gate.as_str()), (false, "elsewhere"), "{}", h1.gate_detail);
    first.crash().await;
    second.crash().await;
}
