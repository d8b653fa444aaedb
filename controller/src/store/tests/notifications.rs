//! The outbox: written with the move it tells of, once; emptied in order, by the leader only.

use std::collections::BTreeSet;

use super::*;
use crate::{
    notify::{Event as News, Receiver, Receivers},
    plan::{Omission, OmissionReason, Passed, WakePlan},
    policy::Mode,
    store::{Fence, NotificationFilter, NotificationRow, Sent, WakeMove},
};

both!(
    the_end_of_a_wake_is_written_down_once_for_everybody_who_wants_it,
    the_end_of_a_wake_that_is_moved_in_a_batch_is_written_down,
    those_of_one_instance_go_out_in_order_and_hold_up_nobody_else,
    only_the_leader_empties_the_outbox,
    what_nobody_is_sent_is_given_up_after_its_time,
    a_spent_budget_is_told_once_a_day,
    a_result_after_the_end_is_kept_beside_the_story,
);

fn receiver(name: &str, events: &[News], instances: &str) -> Receiver {
    let pattern = glob::Pattern::new(instances).expect("a pattern");
    Receiver { name: name.into(), events: events.iter().copied().collect(), instances: vec![pattern] }
}

/// `all` hears everything, `failures` of failures, `devs` of `dev*` being ready.
async fn told(home: &Home) -> Store {
    let receivers = vec![
        receiver("all", &News::ALL, "*"),
        receiver("failures", &[News::WakeFailed], "*"),
        receiver("devs", &[News::InstanceReady], "dev*"),
    ];
    home.open().await.notifying(Receivers(receivers))
}

async fn asked(store: &Store, seed: u64, name: &str, at: i64) -> WakeId {
    let new = new_wake(seed, name, Reason::Demand, at);
    store.wake_request(&new, &RetryRule::default()).await.expect("queued").0.id
}

async fn stepped(store: &Store, id: WakeId, event: &Event) {
    store.wake_step(id, event, &RetryRule::default()).await.expect("stepped");
}

/// A wake that is asked for and serves ten seconds later.
async fn woken(store: &Store, seed: u64, name: &str, at: i64) {
    let id = asked(store, seed, name, at).await;
    stepped(store, id, &dispatch(at + 1)).await;
    stepped(store, id, &served(id, at + 10)).await;
}

async fn listed(store: &Store) -> Vec<NotificationRow> {
    let filter = NotificationFilter { limit: 100, ..NotificationFilter::default() };
    store.notifications_list(&filter).await.expect("readable")
}

/// Receiver, instance and event, in the order they were written.
async fn written(store: &Store) -> Vec<String> {
    let rows = listed(store).await;
    rows.iter().rev().map(|row| format!("{} {} {}", row.receiver, row.instance, row.event)).collect()
}

/// What may go out to a receiver: numbers and instances.
async fn claimed(store: &Store, receiver: &str, at: i64) -> Vec<(i64, String)> {
    let claimed =
        store.notifications_claim(receiver, t(at), (8, &BTreeSet::new()), None).await.expect("taken");
    claimed.into_iter().map(|one| (one.notification_id, one.instance)).collect()
}

fn names(claimed: &[(i64, String)]) -> Vec<&str> {
    claimed.iter().map(|(_, name)| name.as_str()).collect()
}

async fn the_end_of_a_wake_is_written_down_once_for_everybody_who_wants_it(home: Home) {
    let silent = home.open().await;
    woken(&silent, 1, "dev1", 0).await;
    assert!(listed(&silent).await.is_empty(), "nobody is to be told");
    silent.close().await;

    let store = told(&home).await;
    let id = asked(&store, 2, "dev1", 100).await;
    stepped(&store, id, &dispatch(101)).await;
    assert!(listed(&store).await.is_empty(), "it goes on");
    stepped(&store, id, &served(id, 110)).await;
    stepped(&store, id, &served(id, 111)).await;
    let late = asked(&store, 3, "ops1", 200).await;
    stepped(&store, late, &Event::Tick { at: t(2000), host_connected: true, held_by: None }).await;
    let off = asked(&store, 4, "dev2", 2100).await;
    stepped(&store, off, &Event::Cancel { by: "ann".into(), at: t(2101) }).await;
    let expected = [
        "all dev1 instance.ready",
        "devs dev1 instance.ready",
        "all ops1 wake.failed",
        "failures ops1 wake.failed",
    ];
    assert_eq!(written(&store).await, expected);
    let rows = listed(&store).await;
    assert!(rows.iter().all(|row| row.state == "pending" && row.attempts == 0));
    assert_eq!(rows[3].message_id, format!("msg_{id}"));
    store.close().await;
    assert_eq!(written(&told(&home).await).await, expected, "they are there after a restart");
}

async fn the_end_of_a_wake_that_is_moved_in_a_batch_is_written_down(home: Home) {
    let store = told(&home).await;
    let rule = RetryRule::default();
    let mut moves = Vec::new();
    for (seed, name) in [(1, "dev1"), (2, "dev2")] {
        let id = asked(&store, seed, name, 0).await;
        let wake = store.wake_get(id).await.expect("readable").expect("there");
        let tick = Event::Tick { at: t(5000), host_connected: true, held_by: None };
        moves.extend(WakeMove::step(wake, &tick, &rule).expect("legal").0);
    }
    store.wakes_move(&moves, None).await.expect("moved");
    store.wakes_move(&moves, None).await.expect("lost");
    let failed = written(&store).await;
    assert_eq!(failed.iter().filter(|row| row.starts_with("failures ")).count(), 2, "{failed:?}");
    assert_eq!(failed.len(), 4);
}

async fn those_of_one_instance_go_out_in_order_and_hold_up_nobody_else(home: Home) {
    let store = told(&home).await;
    for (seed, name, at) in [(1, "dev1", 0), (2, "dev2", 20), (3, "dev1", 100)] {
        woken(&store, seed, name, at).await;
    }
    assert_eq!(store.notifications_due(t(200)).await.expect("readable").len(), 2);
    let first = claimed(&store, "all", 200).await;
    assert_eq!(names(&first), ["dev1", "dev2"], "the second of dev1 waits for the first");
    let under_way: BTreeSet<i64> = first.iter().map(|(id, _)| *id).collect();
    let none = store.notifications_claim("all", t(200), (8, &under_way), None).await.expect("taken");
    assert!(none.is_empty(), "what is under way is not taken twice: {none:?}");

    let again = Sent::Again { due_at: t(500), problem: "it answered 500".into() };
    store.notification_sent(first[0].0, &again, t(201), None).await.expect("kept");
    store.notification_sent(first[1].0, &Sent::Delivered, t(201), None).await.expect("kept");
    assert!(claimed(&store, "all", 499).await.is_empty(), "dev1 is not due again yet");
    assert_eq!(names(&claimed(&store, "devs", 499).await), ["dev1", "dev2"], "another receiver goes on");

    let retried = claimed(&store, "all", 500).await;
    assert_eq!(retried, first[..1], "the same once more");
    let given_up = Sent::GivenUp { problem: "it answered 500".into() };
    store.notification_sent(retried[0].0, &given_up, t(501), None).await.expect("kept");
    let next = claimed(&store, "all", 502).await;
    assert!(names(&next) == ["dev1"] && next[0].0 > first[0].0, "those behind it go on");
    store.notification_sent(next[0].0, &Sent::Delivered, t(503), None).await.expect("kept");
    store.notification_sent(next[0].0, &given_up, t(504), None).await.expect("passed over");

    let rows = listed(&store).await;
    let of_all: Vec<_> = rows.iter().rev().filter(|row| row.receiver == "all").collect();
    let states: Vec<_> = of_all.iter().map(|row| (row.state.as_str(), row.attempts)).collect();
    assert_eq!(states, [("given_up", 2), ("delivered", 1), ("delivered", 1)]);
    assert_eq!((of_all[0].last_error.as_str(), of_all[2].last_error.as_str()), ("it answered 500", ""));
    let pending = store.notifications_pending().await.expect("readable");
    assert_eq!(pending, [("devs".to_owned(), 3)]);
}

async fn only_the_leader_empties_the_outbox(home: Home) {
    let store = told(&home).await;
    woken(&store, 1, "dev1", 0).await;
    let epoch = store.lease_take("lead", "c1", None).await.expect("taken").expect("free");
    let fence = Fence { lease: "lead".into(), epoch };
    let none = BTreeSet::new();
    let one =
        store.notifications_claim("all", t(50), (8, &none), Some(&fence)).await.expect("leads").remove(0);
    store.lease_take("lead", "c2", Some((epoch, 0))).await.expect("taken").expect("as it was seen");
    let refused = store.notifications_claim("all", t(50), (8, &none), Some(&fence)).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let refused = store.notification_sent(one.notification_id, &Sent::Delivered, t(51), Some(&fence)).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let row = listed(&store).await.into_iter().find(|row| row.receiver == "all").expect("there");
    assert_eq!((row.state.as_str(), row.attempts), ("pending", 1), "the new leader sends it again");
}

async fn what_nobody_is_sent_is_given_up_after_its_time(home: Home) {
    let store = told(&home).await;
    woken(&store, 1, "dev1", 0).await;
    woken(&store, 2, "dev1", 1000).await;
    let given_up = store.notifications_abandon(&["devs".into()].into(), (t(500), t(2000))).await;
    assert_eq!(given_up.expect("done"), 1);
    let rows = listed(&store).await;
    let of_all: Vec<_> = rows.iter().rev().filter(|row| row.receiver == "all").collect();
    assert_eq!(of_all[0].state, "given_up");
    assert_eq!((of_all[0].ended_at, of_all[1].state.as_str()), (Some(t(2000)), "pending"));
    assert!(rows.iter().all(|row| row.receiver == "all" || row.state == "pending"));
    store.prune(t(500)).await.expect("pruned");
    assert_eq!(listed(&store).await.len(), 2, "old rows are forgotten");
}

async fn a_spent_budget_is_told_once_a_day(home: Home) {
    let store = told(&home).await;
    let plan = |at: i64, mode: Mode, left: &[&str]| WakePlan {
        made_at: t(at),
        horizon_end: t(at + 3600),
        mode,
        model_version: 1,
        hold_out_share: 0.0,
        wakes: Vec::new(),
        omissions: left
            .iter()
            .map(|name| Omission {
                instance: instance(name),
                reason: OmissionReason::BudgetSpent {
                    day: "2026-02-25".parse().expect("a day"),
                    wakes_max: 2,
                },
            })
            .collect(),
        passed: Passed::default(),
    };
    store.plan_keep(&plan(0, Mode::ForecastOnly, &["dev1"]), None).await.expect("kept");
    store.plan_keep(&plan(1, Mode::Act, &[]), None).await.expect("kept");
    assert!(listed(&store).await.is_empty());
    store.plan_keep(&plan(2, Mode::Act, &["dev1", "dev2"]), None).await.expect("kept");
    store.plan_keep(&plan(300, Mode::Act, &["dev3"]), None).await.expect("kept");
    assert_eq!(written(&store).await, ["all  budget.spent"]);
    let one = store.notifications_claim("all", t(301), (8, &BTreeSet::new()), None).await.expect("taken");
    assert!(one[0].body.contains("\"left_out\":2"), "{}", one[0].body);
}

async fn a_result_after_the_end_is_kept_beside_the_story(home: Home) {
    let store = home.open().await;
    let result = |event: Event| match event {
        Event::Result { result, .. } => result,
        other => panic!("{other:?}"),
    };
    let on_time = asked(&store, 1, "dev1", 0).await;
    stepped(&store, on_time, &dispatch(1)).await;
    let said = result(served(on_time, 100));
    assert!(!store.late_result_keep(&said, t(100)).await.expect("looked"), "it is not over");
    stepped(&store, on_time, &served(on_time, 100)).await;
    assert!(!store.late_result_keep(&said, t(101)).await.expect("looked"), "repeated, not late");

    let forced = asked(&store, 2, "dev2", 0).await;
    stepped(&store, forced, &dispatch(1)).await;
    stepped(&store, forced, &Event::Force { by: "ann".into(), at: t(50) }).await;
    let said = result(served(forced, 200));
    let other = AttemptResult { attempt: 7, ..said.clone() };
    assert!(!store.late_result_keep(&other, t(200)).await.expect("looked"), "of no attempt there was");
    assert!(store.late_result_keep(&said, t(200)).await.expect("kept"));
    assert!(!store.late_result_keep(&said, t(300)).await.expect("looked"), "the first stands");
    let late = store.late_results_of(forced).await.expect("readable");
    assert_eq!((late.len(), late[0].outcome.as_str(), late[0].at), (1, "woken", t(200)));
    assert_eq!(late[0].serving_at, Some(t(200)));
    assert!(store.late_results_of(on_time).await.expect("readable").is_empty());
    let wake = store.wake_get(forced).await.expect("readable").expect("there");
    assert_eq!(wake.state.ended(), Some(End::Cancelled), "it changes nothing");
}
