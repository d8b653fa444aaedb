//! The store against a real file: what is committed is there after a restart, and nothing twice.

use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng, rngs::StdRng};
use reveille_proto::{
    HostId, InstanceId, WakeId,
    edge::{AttemptResult, Effect as CallEffect, Hello, InventoryItem, Outcome as AttemptOutcome},
};

use super::{
    NewWake, Store, StoreError, VisitSpan, WakeFilter,
    testing::{Home, both},
};
use crate::{
    logs::{Batch, Counts, Position},
    visits::{Sighting, SightingKind},
    wake::{Effect, End, Event, Priority, Reason, RetryRule, State, Wake},
};

mod batches;
mod hellos;
mod leases;
mod migrations;
mod notifications;

fn t(s: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + s).expect("in range")
}

fn instance(name: &str) -> InstanceId {
    InstanceId::new(name).expect("valid")
}

fn host() -> HostId {
    HostId::new("h1").expect("valid")
}

fn new_wake(seed: u64, name: &str, reason: Reason, at: i64) -> NewWake {
    NewWake {
        id: WakeId::generate(t(at), &mut StdRng::seed_from_u64(seed)),
        instance: instance(name),
        reason,
        requested_by: "test".into(),
        plan_id: None,
        probability: None,
        created_at: t(at),
        due_at: t(at),
        serve_at: None,
        expires_at: t(at + 900),
    }
}

fn hello(names: &[&str]) -> Hello {
    Hello {
        protocol_version: 1,
        agent_version: "0".into(),
        host: host(),
        host_class: "small".into(),
        zone: String::new(),
        cores: 4.0,
        journal_id: "j1".into(),
        inventory: names
            .iter()
            .map(|name| InventoryItem { instance: instance(name), cohort: "c".into(), driver: "http".into() })
            .collect(),
        unfinished: Vec::new(),
        cpu_ceiling_percent: None,
        wakes_max: None,
        epoch: 0,
    }
}

fn dispatch(at: i64) -> Event {
    let (journal_id, grant) = ("j1".into(), "test".into());
    Event::Dispatch { host: host(), epoch: 1, journal_id, at: t(at), deadline_at: t(at + 900), grant }
}

fn served(wake: WakeId, at: i64) -> Event {
    let result = AttemptResult {
        wake,
        epoch: 1,
        attempt: 1,
        outcome: AttemptOutcome::Woken,
        effect: CallEffect::Accepted,
        detail: "serves".into(),
        at: t(at),
        called_at: Some(t(at - 100)),
        serving_at: Some(t(at)),
        retry_after_s: None,
        code: String::new(),
        retryable: false,
    };
    Event::Result { result, at: t(at), jitter: 0.0 }
}

both!(
    a_second_request_joins_the_open_wake_and_goes_first,
    what_was_committed_is_there_after_a_restart_and_ends_once,
    the_queue_of_a_host_is_in_order_and_only_its_own,
    an_ended_wake_makes_room_for_the_next,
    the_same_log_twice_changes_no_visit,
    visits_are_found_by_the_spans_they_touch,
    an_instance_an_agent_no_longer_lists_has_no_host,
    one_bad_row_does_not_stop_the_queue,
);

async fn a_second_request_joins_the_open_wake_and_goes_first(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    let (first, _, new) =
        store.wake_request(&new_wake(1, "dev1", Reason::Forecast, 0), &rule).await.expect("queued");
    assert!(new);
    let (second, effects, new) =
        store.wake_request(&new_wake(2, "dev1", Reason::Demand, 5), &rule).await.expect("joined");
    assert!(!new);
    assert_eq!((second.id, second.priority), (first.id, Priority::Person));
    assert_eq!(effects, [Effect::LookAtQueue]);
    assert!(!store.wake_plan(&new_wake(3, "dev1", Reason::Forecast, 6), t(0)).await.expect("looked"));
    let story = store.transitions_of(first.id).await.expect("readable");
    assert_eq!(story.iter().map(|m| m.event.as_str()).collect::<Vec<_>>(), ["created", "join"]);
    assert_eq!(story.iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2]);
}

async fn running(store: &Store) -> Vec<Wake> {
    let mut running = Vec::new();
    store.wakes_running_each(&mut |wake| running.push(wake)).await.expect("readable");
    running
}

async fn what_was_committed_is_there_after_a_restart_and_ends_once(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    store.host_hello(&hello(&["dev1"]), "c1", 1, t(0)).await.expect("kept");
    let (wake, _, _) =
        store.wake_request(&new_wake(1, "dev1", Reason::Demand, 0), &rule).await.expect("queued");
    store.wake_step(wake.id, &dispatch(1), &rule).await.expect("dispatched");
    store.close().await;

    let store = home.open().await;
    let before = running(&store).await;
    assert_eq!(before.len(), 1);
    assert!(matches!(&before[0].state, State::Dispatched { run } if run.host == host() && run.attempt == 1));
    let (ended, _) = store.wake_step(wake.id, &served(wake.id, 200), &rule).await.expect("ended");
    assert_eq!(ended.state.ended(), Some(End::Woken));
    let (again, effects) = store.wake_step(wake.id, &served(wake.id, 300), &rule).await.expect("repeated");
    assert_eq!((again.state.ended(), effects.len()), (Some(End::Woken), 0));
    assert!(running(&store).await.is_empty());
    let story = store.transitions_of(wake.id).await.expect("readable");
    assert_eq!(story.iter().filter(|moved| moved.to == "ended").count(), 1);
    let took = store.wakes_serving_times(10).await.expect("readable");
    assert_eq!(took, [("small".to_owned(), SignedDuration::from_secs(199))]);
}

async fn the_queue_of_a_host_is_in_order_and_only_its_own(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    store.host_hello(&hello(&["dev1", "dev2", "dev3", "dev4"]), "c1", 1, t(0)).await.expect("kept");
    for (seed, name, reason, at) in [
        (1, "dev1", Reason::Forecast, 1),
        (2, "dev2", Reason::Forecast, 0),
        (3, "dev3", Reason::Demand, 5),
        (4, "elsewhere", Reason::Demand, 0),
        (5, "dev4", Reason::Demand, 60),
    ] {
        store.wake_request(&new_wake(seed, name, reason, at), &rule).await.expect("queued");
    }
    let due = store.wakes_due(&host(), t(10), 10).await.expect("readable");
    let names: Vec<_> = due.iter().map(|wake| wake.instance.to_string()).collect();
    assert_eq!(names, ["dev3", "dev2", "dev1"], "people first, then by time; dev4 is not due yet");
    assert_eq!(store.wakes_overdue(t(899), &rule).await.expect("readable").len(), 0);
    assert_eq!(store.wakes_overdue(t(900), &rule).await.expect("readable").len(), 2);
    let listed = store.wakes_list(&WakeFilter { limit: 2, ..WakeFilter::default() }).await.expect("readable");
    assert_eq!(listed.len(), 2);
}

async fn an_ended_wake_makes_room_for_the_next(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    let first = store.wake_request(&new_wake(1, "dev1", Reason::Demand, 0), &rule).await.expect("queued").0;
    let cancel = Event::Cancel { by: "ann".into(), at: t(1) };
    store.wake_step(first.id, &cancel, &rule).await.expect("cancelled");
    let second = store.wake_request(&new_wake(2, "dev1", Reason::Demand, 2), &rule).await.expect("queued");
    assert!(second.2 && second.0.id != first.id);
    let error = store.wake_step(first.id, &cancel, &rule).await.expect_err("it is over");
    assert!(matches!(error, StoreError::Wake(_)), "{error}");
}

fn batch(times: &[i64]) -> Batch {
    let sighting = |s: &i64| Sighting { instance: instance("dev1"), at: t(*s), kind: SightingKind::Visit };
    Batch {
        sightings: times.iter().map(sighting).collect(),
        counts: Counts { lines: times.len() as u64, ..Counts::default() },
        samples: Vec::new(),
        source: "access.log".into(),
        position: Position { fingerprint: "f".into(), offset: 10, line: times.len() as u64 },
    }
}

async fn the_same_log_twice_changes_no_visit(home: Home) {
    let store = home.open().await;
    let gap = SignedDuration::from_hours(2);
    let read = batch(&[0, 600, 30_000]);
    store.visits_absorb(&read, gap, t(0)).await.expect("kept");
    let once = store.visits_between(t(-1), t(100_000)).await.expect("readable");
    assert_eq!(once.len(), 2);
    store.visits_absorb(&read, gap, t(1)).await.expect("kept");
    assert_eq!(store.visits_between(t(-1), t(100_000)).await.expect("readable"), once);
    // A late line between the two joins nothing; one that bridges them merges both into one.
    store.visits_absorb(&batch(&[7_000, 14_000, 21_000, 27_000]), gap, t(2)).await.expect("kept");
    let merged = store.visits_between(t(-1), t(100_000)).await.expect("readable");
    assert_eq!(merged.len(), 1);
    assert_eq!((merged[0].arrived_at, merged[0].departed_at), (t(0), t(30_000)));
    let position = store.source_position("access.log").await.expect("readable");
    assert_eq!(position.map(|p| p.offset), Some(10));
}

async fn visits_are_found_by_the_spans_they_touch(home: Home) {
    let store = home.open().await;
    let of = |name: &str, times: &[i64]| {
        let mut read = batch(times);
        read.sightings.iter_mut().for_each(|sighting| sighting.instance = instance(name));
        read
    };
    let gap = SignedDuration::from_secs(60);
    store.visits_absorb(&of("dev1", &[100, 150, 1_000]), gap, t(0)).await.expect("kept");
    store.visits_absorb(&of("dev2", &[300]), gap, t(0)).await.expect("kept");
    let span =
        |name: &str, from: i64, to: i64| VisitSpan { instance: instance(name), from: t(from), to: t(to) };
    let spans = [
        span("dev2", 0, 299),
        span("dev1", 0, 2_000),
        span("dev1", 150, 999),
        span("dev1", 151, 999),
        span("dev2", 300, 300),
        span("dev3", 0, 2_000),
    ];
    let found = store.visits_within(&spans).await.expect("readable");
    let arrived: Vec<Vec<_>> =
        found.iter().map(|visits| visits.iter().map(|visit| visit.arrived_at).collect()).collect();
    assert_eq!(arrived, [vec![], vec![t(100), t(1_000)], vec![t(100)], vec![], vec![t(300)], vec![]]);
    assert!(store.visits_within(&[]).await.expect("readable").is_empty());
}

async fn an_instance_an_agent_no_longer_lists_has_no_host(home: Home) {
    let store = home.open().await;
    store.host_hello(&hello(&["dev1", "dev2"]), "c1", 1, t(0)).await.expect("kept");
    store.host_hello(&hello(&["dev2"]), "c1", 1, t(1)).await.expect("kept");
    let rows = store.instances_list(None, 0).await.expect("readable");
    let hosts: Vec<_> = rows.iter().map(|row| (row.instance.as_str(), row.host.is_some())).collect();
    assert_eq!(hosts, [("dev1", false), ("dev2", true)]);
}

async fn one_bad_row_does_not_stop_the_queue(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    store.host_hello(&hello(&["dev1", "dev2"]), "c1", 1, t(0)).await.expect("kept");
    for (seed, name) in [(1, "dev1"), (2, "dev2")] {
        store.wake_request(&new_wake(seed, name, Reason::Demand, 0), &rule).await.expect("queued");
    }
    sqlx::query("UPDATE wakes SET state_data = '{}' WHERE instance_id = 'dev1'")
        .execute(&store.pool)
        .await
        .expect("spoilt");
    let due = store.wakes_due(&host(), t(10), 10).await.expect("readable");
    assert_eq!(due.iter().map(|wake| wake.instance.as_str()).collect::<Vec<_>>(), ["dev2"]);
}
