//! Two controllers on one PostgreSQL: whoever holds the session dispatches, one leads, and the other takes over.

use super::*;
use crate::{postgres::Server, store::DatabaseUrl};

/// Longest failover that is promised.
pub(super) const FAILOVER: Duration = Duration::from_secs(10);

/// A controller with a data directory of its own, on the shared database.
pub(super) async fn on(database: &DatabaseUrl, dir: &Path) -> Running {
    let mut config = config(dir);
    config.store.database_url = Some(database.clone());
    Running::start_with(dir, config).await
}

pub(super) fn is_leader(controller: &Running) -> bool {
    controller.shared.lead.is_held(controller.shared.clock.now())
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = tokio::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_wake_asked_of_one_is_sent_by_the_other_and_survives_its_death() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: two controllers on one database (PostgreSQL is not here)");
        return;
    };
    let database = DatabaseUrl::new(server.url("postgres"));
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let first = on(&database, dirs[0].path()).await;
    until("the first to lead", || is_leader(&first)).await;
    let second = on(&database, dirs[1].path()).await;
    let mut agent = FakeAgent::welcomed(&first).await;
    agent.load(&first, 10.0).await;

    // Asked of the second, which has no session of the host.
    let asked = Control::new(second.shared.clone())
        .wake_instance(&InstanceId::new("dev1").expect("valid"), "ann", Reason::Demand)
        .await
        .expect("taken down");
    let command = agent.next_wake().await;
    assert_eq!(command.wake_id, asked.wake.wake_id);
    // The policy is one for both.
    second.shared.policy_set("cpu_ceiling_percent", "61", "ann").await.expect("allowed");
    until("the first to hear of it", || first.shared.policy().cpu_ceiling_percent < 62.0).await;
    assert!(is_leader(&first) && !is_leader(&second), "one leads");
    let shown = Control::new(second.shared.clone()).controllers().await.expect("readable");
    let told: Vec<_> = shown.iter().map(|one| (one.controller_id.as_str(), one.leads, one.answers)).collect();
    let (one, other) = (first.shared.controller.as_str(), second.shared.controller.as_str());
    assert_eq!(told, [(one, true, false), (other, false, true)]);

    first.crash().await;
    drop(agent);
    let took = until("the second to lead", || is_leader(&second)).await;
    assert!(took < FAILOVER, "{took:?}");
    // The agent dials the other controller: its wake is sent again there, under a higher epoch.
    let mut agent = FakeAgent::welcomed(&second).await;
    let again = agent.next_wake().await;
    assert_eq!((&again.wake_id, again.attempt, again.look_only), (&command.wake_id, command.attempt, false));
    assert!(again.epoch > command.epoch, "{} {}", again.epoch, command.epoch);
    agent.served(&second, &again).await;
    assert_eq!(agent.next_ack().await.wake_id, command.wake_id);
    let id = command.wake_id.parse().expect("an id");
    let ended = second.wake_when(id, |wake| wake.state.ended().is_some()).await;
    assert_eq!(ended.state.ended(), Some(End::Woken));
    second.crash().await;
}

#[tokio::test]
async fn a_controller_that_lost_the_session_cannot_dispatch_any_more() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: a session that moved on (PostgreSQL is not here)");
        return;
    };
    let database = DatabaseUrl::new(server.url("postgres"));
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (first, second) = (on(&database, dirs[0].path()).await, on(&database, dirs[1].path()).await);
    // The first still believes in its session when the host has long opened another.
    let stale = FakeAgent::welcomed(&first).await;
    let mut agent = FakeAgent::welcomed(&second).await;
    stale.load(&first, 10.0).await;
    let id = first.request("dev1").await;
    agent.load(&second, 10.0).await;
    let command = agent.next_wake().await;
    assert_eq!(command.wake_id, id.to_string());
    let wake = second.shared.store.wake_get(id).await.expect("readable").expect("there");
    assert_eq!(
        wake.state.run().map(|run| run.epoch),
        Some(command.epoch),
        "sent once, by who holds the session"
    );
    let story = second.shared.store.transitions_of(id).await.expect("readable");
    let sent: Vec<u64> = story.iter().filter(|m| m.event == "dispatch").map(|m| m.epoch).collect();
    assert_eq!(sent, [command.epoch], "the first could not");
    first.crash().await;
    second.crash().await;
}

#[tokio::test]
async fn a_wake_called_off_through_one_controller_is_stopped_by_the_other() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: calling off through another controller (PostgreSQL is not here)");
        return;
    };
    let database = DatabaseUrl::new(server.url("postgres"));
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (first, second) = (on(&database, dirs[0].path()).await, on(&database, dirs[1].path()).await);
    let item = |id: &str| v1::InventoryItem { instance_id: id.into(), ..Default::default() };
    let two = v1::Hello { inventory: vec![item("dev1"), item("dev2")], ..hello(PROTOCOL_VERSION) };
    let mut agent = FakeAgent::connect(&first, two, &first.token).await.expect("connects");
    agent.load(&first, 10.0).await;
    let through_other = Control::new(second.shared.clone());
    for (instance, is_forced) in [("dev1", false), ("dev2", true)] {
        let id = first.request(instance).await;
        assert_eq!(agent.next_wake().await.wake_id, id.to_string());
        if is_forced {
            through_other.force_wake(id, "ann").await.expect("ended");
        } else {
            through_other.cancel_wake(id, "ann").await.expect("called off");
        }
        let told = loop {
            if let Down::Cancel(cancel) = agent.next().await
                && cancel.wake_id == id.to_string()
            {
                break cancel;
            }
        };
        assert_eq!(told.wake_id, id.to_string());
    }
    first.crash().await;
    second.crash().await;
}
