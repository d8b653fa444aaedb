//! Forward, back and forward again, with wakes under way in every state.

use reveille_proto::edge::Phase;

use super::*;

both!(open_wakes_survive_the_way_back, what_has_no_way_is_refused);

async fn open_wakes_survive_the_way_back(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    store.host_hello(&hello(&["dev1", "dev2", "dev3", "dev4", "dev5"]), "c1", 1, t(0)).await.expect("kept");
    let mut ids = Vec::new();
    for (seed, name) in (1..).zip(["dev1", "dev2", "dev3", "dev4", "dev5"]) {
        let new = new_wake(seed, name, Reason::Demand, 0);
        ids.push(store.wake_request(&new, &rule).await.expect("queued").0.id);
    }
    let progress = |phase, at| Event::Progress { attempt: 1, phase, at: t(at) };
    let cancel = Event::Cancel { by: "ann".into(), at: t(1) };
    let events = [
        (ids[1], dispatch(1)),
        (ids[2], dispatch(1)),
        (ids[2], progress(Phase::Calling, 2)),
        (ids[3], dispatch(1)),
        (ids[3], progress(Phase::Accepted, 2)),
        (ids[4], cancel),
    ];
    store.wakes_step_many(&events, &rule).await.expect("stepped");
    let wakes = async |store: &Store| {
        let mut wakes = store.wakes_list(&WakeFilter::default()).await.expect("readable");
        wakes.sort_by_key(|wake| wake.id);
        wakes
    };
    let before = wakes(&store).await;
    let states: Vec<_> = before.iter().map(|wake| wake.state.name()).collect();
    for state in ["queued", "dispatched", "calling", "starting", "ended"] {
        assert!(states.contains(&state), "{state}");
    }
    let newest = store.migrations().await.expect("readable").last().expect("some").version;
    let oldest =
        store.migrations().await.expect("readable").iter().rfind(|row| !row.way_back).expect("one").version;
    store.migrate_to(oldest).await.expect("back");
    let applied = store.migrations().await.expect("readable");
    assert!(applied.iter().all(|row| row.applied == (row.version <= oldest)), "{applied:?}");
    store.close().await;

    let store = home.connect().await;
    assert_eq!(wakes(&store).await, before, "they are all there on the tables of before");
    store
        .wake_step(ids[1], &progress(Phase::Calling, 3), &rule)
        .await
        .expect("steps on the tables of before");
    store.migrate_to(newest).await.expect("forward");
    store.close().await;

    let store = home.open().await;
    for (id, at) in [(ids[1], 200), (ids[2], 201), (ids[3], 202)] {
        let (ended, _) = store.wake_step(id, &served(id, at), &rule).await.expect("steps");
        assert_eq!(ended.state.ended(), Some(End::Woken));
    }
    store.wake_step(ids[0], &dispatch(5), &rule).await.expect("steps");
    let greeted = store.host_hello(&hello(&["dev1"]), "c1", 1, t(9)).await.expect("kept");
    assert_eq!(greeted.session_epoch, 1, "counted anew");
}

async fn what_has_no_way_is_refused(home: Home) {
    let store = home.open().await;
    assert!(matches!(store.migrate_to(999).await, Err(StoreError::NoMigration(999))));
    let first = store.migrations().await.expect("readable")[0].version;
    let all_applied = |rows: Vec<crate::store::MigrationRow>| rows.iter().all(|row| row.applied);
    if store.migrations().await.expect("readable").iter().filter(|row| !row.way_back).count() > 1 {
        let refused = store.migrate_to(first).await;
        assert!(matches!(refused, Err(StoreError::NoWayBack { .. })), "{refused:?}");
    }
    assert!(all_applied(store.migrations().await.expect("readable")), "nothing was taken back");
    sqlx::query("UPDATE _sqlx_migrations SET version = 998 WHERE version = 4")
        .execute(&store.pool)
        .await
        .expect("as a newer program would leave it");
    let unknown = store.migrations().await.expect_err("of a newer program");
    assert!(matches!(unknown, StoreError::Migrate { .. }));
    store.close().await;
}
