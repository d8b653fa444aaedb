//! One of two controllers is cut off from the database: its agents go to the other, and it comes back whole.

use super::{
    cable::Cable,
    several::{FAILOVER, is_leader, on, until},
    *,
};
use crate::{
    postgres::Server,
    store::{Database, DatabaseUrl, PolicyChange, Store},
};

/// Until the controller that was cut off has noticed that it is not any more: what hung is given up long before.
const BACK: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_controller_without_its_database_lets_its_agents_go_and_is_whole_again_afterwards() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: a controller that is cut off (PostgreSQL is not here)");
        return;
    };
    let cable = Cable::to(server.address()).await;
    let direct = DatabaseUrl::new(server.url("postgres"));
    let through = direct_through(&server, &cable);
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let first = on(&through, dirs[0].path()).await;
    until("the first to lead", || is_leader(&first)).await;
    let second = on(&direct, dirs[1].path()).await;
    until("the first to hear of the second", || first.shared.levers.has_others()).await;
    let mut agent = FakeAgent::welcomed(&first).await;
    agent.load(&first, 10.0).await;

    let began = tokio::time::Instant::now();
    cable.cut();
    let ended = async { while agent.down.message().await.expect("no error").is_some() {} };
    tokio::time::timeout(FAILOVER, ended).await.expect("the agent is let go in time");
    FakeAgent::put_off(&first).await;
    let mut agent = FakeAgent::welcomed(&second).await;
    agent.load(&second, 10.0).await;
    let id = second.request("dev1").await;
    assert_eq!(agent.next_wake().await.wake_id, id.to_string());
    until("the second to lead", || is_leader(&second)).await;
    assert!(began.elapsed() < FAILOVER, "{:?}", began.elapsed());
    assert!(!is_leader(&first), "its lease has run out by its own clock");

    // What hangs on the old connections must not keep the first from going on with new ones.
    cable.mend();
    let took = until("the first to be back", || {
        first.shared.levers.are_known(first.shared.clock.now()) && !is_leader(&first)
    });
    assert!(took.await < BACK);
    drop(agent);
    let mut agent = FakeAgent::welcomed(&first).await;
    let again = tokio::time::timeout(BACK, agent.next_wake()).await.expect("it hears of the wake under way");
    agent.served(&first, &again).await;
    assert_eq!(agent.next_ack().await.wake_id, id.to_string());
    first.crash().await;
    second.crash().await;
}

#[tokio::test]
async fn what_hangs_on_a_cut_line_is_given_up_and_new_connections_are_made() {
    let Some(server) = Server::start(false).expect("starts") else {
        eprintln!("SKIPPED: statements on a line that is cut (PostgreSQL is not here)");
        return;
    };
    let cable = Cable::to(server.address()).await;
    let store = Store::open_at(&Database::Server(direct_through(&server, &cable))).await.expect("opens");
    let change = PolicyChange {
        changed_at: Clock::system().now(),
        changed_by: "ann".into(),
        key: "stopped".into(),
        old_value: "false".into(),
        new_value: "true".into(),
    };
    store.policy_change(&change).await.expect("kept");
    cable.cut();
    let statement = tokio::spawn({
        let store = store.clone();
        async move { store.policy_list().await }
    });
    let transaction = tokio::spawn({
        let store = store.clone();
        async move { store.policy_change(&change).await }
    });
    tokio::time::timeout(PATIENCE, cable.unheard(2)).await.expect("both are on their way");
    assert!(!statement.is_finished() && !transaction.is_finished(), "nobody has told them");
    cable.mend();
    store.give_up();
    let statement = tokio::time::timeout(PATIENCE, statement).await.expect("in time").expect("no panic");
    let transaction = tokio::time::timeout(PATIENCE, transaction).await.expect("in time").expect("no panic");
    for error in [statement.expect_err("no answer"), transaction.expect_err("no answer")] {
        assert!(format!("{:#}", anyhow::Error::new(error)).contains("does not answer"));
    }
    let kept = tokio::time::timeout(BACK, store.policy_list())
        .await
        .expect("on a new connection")
        .expect("readable");
    assert_eq!(kept[0].key, "stopped");
}

fn direct_through(server: &Server, cable: &Cable) -> DatabaseUrl {
    let direct = server.url("postgres");
    DatabaseUrl::new(direct.replace(&server.address().to_string(), &cable.address.to_string()))
}
