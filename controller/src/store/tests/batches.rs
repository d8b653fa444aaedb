//! Batches: one commit for many wakes, and what is lost when somebody else was faster.

use std::collections::BTreeMap;

use super::*;
use crate::{
    plan::{Passed, PlannedWake, WakePlan},
    policy::Mode,
    store::{Moved, Rank, Sessions, Store, WakeMove},
};

both!(
    moves_are_committed_together_and_a_stale_one_is_lost,
    a_session_that_another_controller_took_over_moves_nothing,
    events_of_one_batch_follow_each_other,
    plans_are_queued_in_bulk_and_never_twice,
    what_was_taken_back_may_be_planned_anew,
    what_is_due_comes_in_order_for_the_hosts_of_a_controller,
    two_requests_at_once_are_one_wake,
    text_and_missing_numbers_come_back_as_they_are,
);

async fn queued(store: &Store, names: &[&str]) -> Vec<Wake> {
    let rule = RetryRule::default();
    let mut wakes = Vec::new();
    for (seed, name) in names.iter().enumerate() {
        let new = new_wake(seed as u64 + 1, name, Reason::Forecast, 0);
        wakes.push(store.wake_request(&new, &rule).await.expect("queued").0);
    }
    wakes
}

fn moved(wake: &Wake, event: &Event) -> WakeMove {
    WakeMove::step(wake.clone(), event, &RetryRule::default()).expect("possible").0.expect("a move")
}

async fn moves_are_committed_together_and_a_stale_one_is_lost(home: Home) {
    let store = home.open().await;
    let wakes = queued(&store, &["dev1", "dev2", "dev3"]).await;
    let moves: Vec<_> = wakes.iter().map(|wake| moved(wake, &dispatch(1))).collect();
    // Somebody else is faster with the second.
    let cancel = Event::Cancel { by: "ann".into(), at: t(1) };
    store.wake_step(wakes[1].id, &cancel, &RetryRule::default()).await.expect("cancelled");
    let told = store.wakes_move(&moves, None).await.expect("committed");
    assert!(matches!(&told[0], Moved::Done(wake) if wake.moves == 1 && wake.state.name() == "dispatched"));
    assert_eq!(told[1], Moved::Lost);
    let Moved::Done(third) = &told[2] else { panic!("{told:?}") };
    assert_eq!(store.wake_get(third.id).await.expect("readable").as_ref(), Some(&**third));
    let story = |id| store.transitions_of(id);
    let seqs = |story: Vec<crate::store::Transition>| story.iter().map(|m| m.seq).collect::<Vec<_>>();
    assert_eq!(seqs(story(wakes[0].id).await.expect("readable")), [1, 2]);
    let second = story(wakes[1].id).await.expect("readable");
    assert_eq!(second.iter().map(|m| m.event.as_str()).collect::<Vec<_>>(), ["created", "cancel"]);
    // The same batch again: all of it is of yesterday.
    assert_eq!(store.wakes_move(&moves, None).await.expect("committed"), vec![Moved::Lost; 3]);
    let twice = [moved(third, &served(third.id, 200)), moved(third, &served(third.id, 201))];
    let told = store.wakes_move(&twice, None).await.expect("committed");
    assert!(matches!((&told[0], &told[1]), (Moved::Done(_), Moved::Lost)), "{told:?}");
    assert_eq!(store.wakes_move(&[], None).await.expect("nothing"), []);
}

async fn a_session_that_another_controller_took_over_moves_nothing(home: Home) {
    let store = home.open().await;
    let first = store.host_hello(&hello(&["dev1"]), "c1", 1, t(0)).await.expect("kept");
    let wakes = queued(&store, &["dev1"]).await;
    let sessions = |controller: &str, epoch| Sessions {
        controller: controller.into(),
        epochs: BTreeMap::from([(host(), epoch)]),
    };
    let mine = sessions("c1", first.session_epoch);
    assert_eq!(store.hosts_of("c1").await.expect("readable"), [(host(), first.session_epoch)]);
    let moves = [moved(&wakes[0], &dispatch(1))];
    let second = store.host_hello(&hello(&["dev1"]), "c2", 1, t(1)).await.expect("kept");
    assert_eq!(second.session_epoch, first.session_epoch + 1);
    assert!(store.hosts_of("c1").await.expect("readable").is_empty());
    assert_eq!(store.wakes_move(&moves, Some(&mine)).await.expect("looked"), [Moved::Lost]);
    let older = sessions("c2", first.session_epoch);
    assert_eq!(store.wakes_move(&moves, Some(&older)).await.expect("looked"), [Moved::Lost]);
    let theirs = sessions("c2", second.session_epoch);
    let told = store.wakes_move(&moves, Some(&theirs)).await.expect("committed");
    assert!(matches!(told[0], Moved::Done(_)));
    // A session that is over already is not ended once more.
    store.host_left(&host(), "c1", first.session_epoch).await.expect("looked");
    assert_eq!(store.hosts_of("c2").await.expect("readable").len(), 1);
    store.host_left(&host(), "c2", second.session_epoch).await.expect("kept");
    assert!(store.hosts_of("c2").await.expect("readable").is_empty());
}

async fn events_of_one_batch_follow_each_other(home: Home) {
    let store = home.open().await;
    let wakes = queued(&store, &["dev1", "dev2"]).await;
    let nobody = new_wake(99, "x", Reason::Demand, 0).id;
    let cancel = Event::Cancel { by: "ann".into(), at: t(9) };
    let events = [
        (wakes[0].id, dispatch(1)),
        (wakes[1].id, cancel.clone()),
        (wakes[0].id, served(wakes[0].id, 200)),
        (nobody, cancel.clone()),
        (wakes[1].id, cancel),
    ];
    let told = store.wakes_step_many(&events, &RetryRule::default()).await.expect("committed");
    assert_eq!(told[2].as_ref().expect("woken").0.state.ended(), Some(End::Woken));
    assert!(matches!(told[3], Err(StoreError::NoWake(id)) if id == nobody));
    assert!(matches!(told[4], Err(StoreError::Wake(_))), "{:?}", told[4]);
    let story = store.transitions_of(wakes[0].id).await.expect("readable");
    assert_eq!(
        story.iter().map(|m| (m.seq, m.to.as_str())).collect::<Vec<_>>(),
        [(1, "queued"), (2, "dispatched"), (3, "ended")]
    );
    assert_eq!(store.wake_get(wakes[0].id).await.expect("readable").map(|wake| wake.moves), Some(2));
}

async fn plans_are_queued_in_bulk_and_never_twice(home: Home) {
    let store = home.open().await;
    queued(&store, &["dev2"]).await;
    let planned = |seed, name| (new_wake(seed, name, Reason::Forecast, 1), t(0));
    let batch = [planned(10, "dev1"), planned(11, "dev2"), planned(12, "dev3"), planned(13, "dev3")];
    assert_eq!(store.wakes_plan(&batch).await.expect("queued"), [true, false, true, false]);
    assert_eq!(store.wakes_plan(&batch).await.expect("looked"), [false; 4]);
    assert_eq!(store.wakes_open_count().await.expect("readable"), 3);
    let story = store.transitions_of(batch[2].0.id).await.expect("readable");
    assert_eq!(story.iter().map(|m| (m.seq, m.event.as_str())).collect::<Vec<_>>(), [(1, "created")]);
    assert_eq!(store.wakes_plan(&[]).await.expect("nothing"), [false; 0]);
}

async fn what_was_taken_back_may_be_planned_anew(home: Home) {
    let store = home.open().await;
    let wake = PlannedWake {
        instance: instance("dev1"),
        host: host(),
        due_at: t(1),
        hour_at: t(0),
        serve_at: t(100),
        expires_at: t(600),
        probability: 0.5,
        idle_h: None,
        saved_s: None,
        why: "expected".into(),
    };
    let plan = WakePlan {
        made_at: t(0),
        horizon_end: t(3600),
        mode: Mode::Act,
        model_version: 1,
        hold_out_share: 0.0,
        wakes: vec![wake],
        omissions: Vec::new(),
        passed: Passed::default(),
    };
    for seed in [10, 11] {
        store.plan_keep(&plan, None).await.expect("kept");
        let new = new_wake(seed, "dev1", Reason::Forecast, 1);
        assert_eq!(store.wakes_plan(&[(new.clone(), t(0))]).await.expect("queued"), [true]);
        let planned = store.planned_between(t(0), t(3600)).await.expect("readable");
        assert_eq!(planned.iter().map(|row| row.wake).collect::<Vec<_>>(), [Some(new.id)]);
        let cancel = Event::Cancel { by: "the policy".into(), at: t(2) };
        store.wake_step(new.id, &cancel, &RetryRule::default()).await.expect("taken back");
        store.planned_forget(new.id).await.expect("forgotten");
        assert!(store.planned_between(t(0), t(3600)).await.expect("readable").is_empty());
    }
}

async fn what_is_due_comes_in_order_for_the_hosts_of_a_controller(home: Home) {
    let store = home.open().await;
    store.host_hello(&hello(&["dev1", "dev2", "dev3"]), "c1", 1, t(0)).await.expect("kept");
    let other = HostId::new("h2").expect("valid");
    let elsewhere = Hello { host: other.clone(), ..hello(&["dev4"]) };
    store.host_hello(&elsewhere, "c2", 1, t(0)).await.expect("kept");
    let rule = RetryRule::default();
    for (seed, name, reason, at) in [
        (1, "dev1", Reason::Forecast, 1),
        (2, "dev2", Reason::Operator, 3),
        (3, "dev3", Reason::Forecast, 60),
        (4, "dev4", Reason::Demand, 2),
        (5, "nowhere", Reason::Demand, 0),
    ] {
        store.wake_request(&new_wake(seed, name, reason, at), &rule).await.expect("queued");
    }
    let names = |wakes: &[(HostId, Wake)]| {
        wakes.iter().map(|(host, wake)| format!("{host}/{}", wake.instance)).collect::<Vec<_>>()
    };
    let due = store.wakes_due_all(t(10), None, 10).await.expect("readable");
    assert_eq!(names(&due), ["h2/dev4", "h1/dev2", "h1/dev1"]);
    let mine = store.wakes_due_all(t(10), Some("c1"), 10).await.expect("readable");
    assert_eq!(names(&mine), ["h1/dev2", "h1/dev1"]);
    assert_eq!(names(&store.wakes_due_all(t(10), None, 1).await.expect("readable")), ["h2/dev4"]);
    let behind = Some(Rank::of(&due[1].1));
    let rest = store.wakes_due_after(t(10), None, behind, 10).await.expect("readable");
    assert_eq!(names(&rest), ["h1/dev1"]);
    let first = store.wakes_queued(None, None, 3).await.expect("readable");
    assert_eq!(names(&first), ["h2/dev4", "h1/dev2", "h1/dev1"]);
    let rest = store.wakes_queued(None, Some(Rank::of(&first[2].1)), 3).await.expect("readable");
    assert_eq!(names(&rest), ["h1/dev3"], "not due, and queued all the same");
}

async fn two_requests_at_once_are_one_wake(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    let asks = (1..=12).map(|seed| {
        let (store, new) = (store.clone(), new_wake(seed, "dev1", Reason::Demand, 0));
        tokio::spawn(async move { store.wake_request(&new, &rule).await.expect("answered") })
    });
    let mut answers = Vec::new();
    for ask in asks.collect::<Vec<_>>() {
        answers.push(ask.await.expect("ran"));
    }
    assert_eq!(answers.iter().filter(|(.., new)| *new).count(), 1);
    assert!(answers.iter().all(|(wake, ..)| wake.id == answers[0].0.id));
    let story = store.transitions_of(answers[0].0.id).await.expect("readable");
    assert_eq!(story.iter().map(|m| m.seq).collect::<Vec<_>>(), (1..=story.len() as u32).collect::<Vec<_>>());
}

async fn text_and_missing_numbers_come_back_as_they_are(home: Home) {
    let store = home.open().await;
    let rule = RetryRule::default();
    // None first: were it bound as what the driver takes for it, the number after it would not fit.
    for (seed, probability) in [(1, None), (2, Some(0.1 + 0.2)), (3, None), (4, Some(1.0 / 3.0))] {
        let name = format!("dev{seed}");
        let by = "an \"odd\" name \\ \u{0} ü 'x'".to_owned();
        let new = NewWake { probability, requested_by: by, ..new_wake(seed, &name, Reason::Demand, 0) };
        store.wake_request(&new, &rule).await.expect("queued");
        let read = store.wake_get(new.id).await.expect("readable").expect("there");
        assert_eq!(read.probability, probability);
        assert_eq!(read.requested_by, "an \"odd\" name \\ \u{fffd} ü 'x'");
    }
}
