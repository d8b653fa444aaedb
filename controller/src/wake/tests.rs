//! The state machine under single events and under random storms of them.

use jiff::Timestamp;
use proptest::prelude::*;
use reveille_proto::{
    HostId, InstanceId, WakeId,
    edge::{self, AttemptResult, Outcome, Phase},
};

use super::{Effect, End, Endpoint, Event, Priority, Reason, RetryRule, State, Wake, step};

fn t(s: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + s).expect("in range")
}

fn host() -> HostId {
    HostId::new("h1").expect("valid")
}

fn queued() -> Wake {
    Wake {
        id: "01890000-0000-7000-8000-000000000001".parse::<WakeId>().expect("valid"),
        instance: InstanceId::new("dev1").expect("valid"),
        reason: Reason::Forecast,
        priority: Priority::Forecast,
        requested_by: "forecast".into(),
        plan_id: None,
        probability: None,
        created_at: t(0),
        due_at: t(0),
        serve_at: Some(t(300)),
        expires_at: t(3600),
        state: State::Queued { attempt: 1, failures: 0, not_before: t(0) },
        called_at: None,
        serving_at: None,
        detail: String::new(),
        last_host: None,
        last_attempt: 0,
        dispatched_at: None,
        moves: 0,
    }
}

fn dispatch(at: i64) -> Event {
    Event::Dispatch {
        host: host(),
        epoch: 1,
        journal_id: "j1".into(),
        at: t(at),
        deadline_at: t(at + 900),
        grant: "test".into(),
    }
}

fn result(attempt: u32, outcome: Outcome, effect: edge::Effect, retryable: bool, at: i64) -> Event {
    let result = AttemptResult {
        wake: queued().id,
        epoch: 1,
        attempt,
        outcome,
        effect,
        detail: "said so".into(),
        at: t(at),
        called_at: None,
        serving_at: (outcome == Outcome::Woken).then(|| t(at)),
        retry_after_s: None,
        code: String::new(),
        retryable,
    };
    Event::Result { result, at: t(at), jitter: 0.5 }
}

/// Applies the events one after the other; panics on an illegal one.
fn after(events: &[Event]) -> Wake {
    events.iter().fold(queued(), |wake, event| step(&wake, event, &RetryRule::default()).expect("legal").0)
}

fn progress(phase: Phase, at: i64) -> Event {
    Event::Progress { attempt: 1, phase, at: t(at) }
}

#[test]
fn the_good_road_ends_woken_and_keeps_its_facts() {
    let wake = after(&[
        dispatch(1),
        progress(Phase::Calling, 2),
        progress(Phase::Accepted, 3),
        result(1, Outcome::Woken, edge::Effect::Accepted, false, 200),
    ]);
    assert_eq!(wake.state, State::Ended { end: End::Woken, at: t(200) });
    assert_eq!((wake.called_at, wake.serving_at), (Some(t(2)), Some(t(200))));
}

#[test]
fn a_failure_without_effect_is_tried_again_until_the_attempts_are_spent() {
    let rule = RetryRule { attempts_max: 2, ..RetryRule::default() };
    let failed = |attempt, at| result(attempt, Outcome::Failed, edge::Effect::None, true, at);
    let (wake, _) = step(&after(&[dispatch(1)]), &failed(1, 5), &rule).expect("legal");
    assert!(matches!(wake.state, State::Queued { attempt: 2, failures: 1, not_before } if not_before > t(5)));
    let (wake, _) = step(&wake, &dispatch(60), &rule).expect("legal");
    let (wake, _) = step(&wake, &failed(2, 65), &rule).expect("legal");
    assert_eq!(wake.state.ended(), Some(End::Failed));
}

#[test]
fn a_failure_that_may_have_had_an_effect_is_never_called_again() {
    for effect in [edge::Effect::Unknown, edge::Effect::Accepted] {
        let wake = after(&[dispatch(1), result(1, Outcome::Failed, effect, true, 5)]);
        assert_eq!(wake.state.ended(), Some(End::Failed), "{effect:?}");
    }
}

#[test]
fn a_hot_host_refuses_without_spending_attempts() {
    let rule = RetryRule { attempts_max: 1, ..RetryRule::default() };
    let mut wake = queued();
    for n in 1..=5u32 {
        let at = i64::from(n) * 100;
        wake = step(&wake, &dispatch(at), &rule).expect("legal").0;
        wake = step(&wake, &result(n, Outcome::Refused, edge::Effect::None, true, at + 1), &rule)
            .expect("legal")
            .0;
        assert!(matches!(wake.state, State::Queued { failures: 0, .. }), "{:?}", wake.state);
    }
    let refused_for_good = result(6, Outcome::Refused, edge::Effect::None, false, 701);
    wake = step(&wake, &dispatch(700), &rule).expect("legal").0;
    wake = step(&wake, &refused_for_good, &rule).expect("legal").0;
    assert_eq!(wake.state.ended(), Some(End::Refused));
}

#[test]
fn another_journal_may_only_look() {
    let running = after(&[dispatch(1)]);
    let back = |journal: &str| Event::Reconnected { epoch: 7, journal_id: journal.into(), at: t(9) };
    let (wake, effects) = step(&running, &back("j1"), &RetryRule::default()).expect("legal");
    assert_eq!(effects, [Effect::SendWake { look_only: false }]);
    assert_eq!(wake.state.run().map(|run| run.epoch), Some(7));
    let (_, effects) = step(&running, &back("j2"), &RetryRule::default()).expect("legal");
    assert_eq!(effects, [Effect::SendWake { look_only: true }]);
}

#[test]
fn a_lost_answer_is_a_state_of_its_own() {
    let wake = after(&[dispatch(1), progress(Phase::Unknown, 3)]);
    assert!(matches!(wake.state, State::Starting { endpoint: Endpoint::Unknown, .. }));
    let (wake, _) = step(&wake, &progress(Phase::Accepted, 4), &RetryRule::default()).expect("legal");
    assert!(matches!(wake.state, State::Starting { endpoint: Endpoint::Accepted, .. }));
}

#[test]
fn deadline_and_expiry_end_what_nobody_ends() {
    let rule = RetryRule::default();
    let tick = |at, host_connected| Event::Tick { at: t(at), host_connected, held_by: None };
    let running = after(&[dispatch(1)]);
    let at = |wake: &Wake, event: &Event| step(wake, event, &rule).expect("legal").0.state.ended();
    assert_eq!(at(&running, &tick(960, true)), None, "the grace is not over");
    assert_eq!(at(&running, &tick(961, true)), Some(End::TimedOut));
    assert_eq!(at(&running, &tick(961, false)), Some(End::HostLost));
    assert_eq!(at(&queued(), &tick(3599, true)), None);
    assert_eq!(at(&queued(), &tick(3600, true)), Some(End::Expired));
}

#[test]
fn a_person_who_asks_too_goes_first_and_keeps_the_wake_alive() {
    let mut wake = queued();
    wake.due_at = t(2000);
    wake.state = State::Queued { attempt: 1, failures: 0, not_before: t(2000) };
    let join = Event::Join { by: "ann".into(), at: t(3500), expires_at: t(4400) };
    let (wake, effects) = step(&wake, &join, &RetryRule::default()).expect("legal");
    assert_eq!((wake.priority, wake.due_at), (Priority::Person, t(2000)));
    assert_eq!(wake.expires_at, t(4400));
    assert_eq!(effects, [Effect::LookAtQueue]);
    let early = Event::Join { by: "ann".into(), at: t(10), expires_at: t(910) };
    let (wake, _) = step(&queued_for(2000), &early, &RetryRule::default()).expect("legal");
    assert_eq!(wake.state, State::Queued { attempt: 1, failures: 0, not_before: t(10) });
}

#[test]
fn a_person_who_asks_too_does_not_hurry_an_endpoint_that_failed() {
    let wake = Wake { state: State::Queued { attempt: 2, failures: 1, not_before: t(300) }, ..queued() };
    let join = Event::Join { by: "ann".into(), at: t(10), expires_at: t(910) };
    let (wake, _) = step(&wake, &join, &RetryRule::default()).expect("legal");
    assert_eq!(wake.priority, Priority::Person);
    assert_eq!(wake.state, State::Queued { attempt: 2, failures: 1, not_before: t(300) });
}

fn queued_for(due: i64) -> Wake {
    Wake { due_at: t(due), state: State::Queued { attempt: 1, failures: 0, not_before: t(due) }, ..queued() }
}

#[test]
fn impossible_events_have_a_name() {
    let rule = RetryRule::default();
    let ended = after(&[Event::Cancel { by: "ann".into(), at: t(1) }]);
    assert!(step(&ended, &dispatch(2), &rule).is_err());
    assert!(step(&ended, &Event::Cancel { by: "ann".into(), at: t(2) }, &rule).is_err());
    assert!(step(&ended, &Event::Join { by: "ann".into(), at: t(2), expires_at: t(902) }, &rule).is_err());
    assert!(step(&after(&[dispatch(1)]), &dispatch(2), &rule).is_err());
    assert!(step(&queued(), &dispatch(3600), &rule).is_err(), "expired");
    assert!(step(&queued_for(50), &dispatch(49), &rule).is_err(), "not due");
}

#[test]
fn a_wake_is_due_at_the_very_moment_it_was_put_off_to() {
    let rule = RetryRule::default();
    let (wake, effects) = step(&queued_for(50), &dispatch(50), &rule).expect("due");
    assert_eq!(effects, [Effect::SendWake { look_only: false }]);
    assert_eq!(wake.dispatched_at, Some(t(50)));
}

#[test]
fn a_person_who_asks_for_a_running_wake_changes_nothing_but_its_class() {
    let running = after(&[dispatch(1)]);
    let join = Event::Join { by: "ann".into(), at: t(10), expires_at: t(910) };
    let (joined, effects) = step(&running, &join, &RetryRule::default()).expect("legal");
    assert_eq!((&joined, effects), (&Wake { priority: Priority::Person, ..running }, vec![]));
}

#[test]
fn the_detail_says_how_far_a_call_is() {
    let said = |phases: &[Phase]| {
        let told = phases.iter().map(|phase| progress(*phase, 2));
        after(&[dispatch(1)].into_iter().chain(told).collect::<Vec<_>>()).detail
    };
    assert_eq!(said(&[]), "sent to h1: test");
    assert_eq!(said(&[Phase::Calling]), "h1 is calling the wake endpoint");
    assert_eq!(said(&[Phase::Calling, Phase::Accepted]), "the endpoint accepted; waiting until it serves");
    let lost = said(&[Phase::Calling, Phase::Unknown]);
    assert_eq!(lost, "the answer of the endpoint was lost; h1 waits until it serves");
}

#[test]
fn a_cancelled_wake_says_who_asked_for_it_and_what_the_agent_did() {
    let cancelled = result(1, Outcome::Cancelled, edge::Effect::None, false, 6);
    let wake = after(&[dispatch(1), Event::Cancel { by: "ann".into(), at: t(5) }, cancelled]);
    assert_eq!(wake.detail, "cancel asked for by ann; said so");
}

#[test]
fn the_table_of_moves_names_each_event_and_has_its_time() {
    let (by, at) = (String::from("ann"), t(7));
    let events = [
        dispatch(7),
        progress(Phase::Calling, 7),
        result(1, Outcome::Woken, edge::Effect::Accepted, false, 7),
        Event::Reconnected { epoch: 2, journal_id: "j1".into(), at },
        Event::Join { by: by.clone(), at, expires_at: t(900) },
        Event::Cancel { by: by.clone(), at },
        Event::Force { by, at },
        Event::Tick { at, host_connected: true, held_by: None },
    ];
    let names = ["dispatch", "progress", "result", "reconnected", "join", "cancel", "force", "tick"];
    assert_eq!(events.each_ref().map(Event::name), names);
    assert_eq!(events.each_ref().map(Event::at), [at; 8]);
    let effects = [Effect::SendWake { look_only: true }, Effect::SendCancel, Effect::LookAtQueue];
    assert_eq!(effects.map(Effect::name), ["send_wake", "send_cancel", "look_at_queue"]);
}

#[test]
fn a_state_is_called_what_it_is_stored_as() {
    let woken = result(1, Outcome::Woken, edge::Effect::Accepted, false, 9);
    let road: [&[Event]; 5] = [
        &[],
        &[dispatch(1)],
        &[dispatch(1), progress(Phase::Calling, 2)],
        &[dispatch(1), progress(Phase::Accepted, 2)],
        &[dispatch(1), woken],
    ];
    for state in road.map(|events| after(events).state) {
        let stored = serde_json::to_value(&state).expect("JSON");
        assert_eq!(stored["state"], state.name());
    }
}

#[test]
fn what_a_wake_is_for_reaches_the_agent_and_its_class_the_store() {
    for reason in Reason::ALL {
        let on_the_wire = reason.to_wire().as_str_name();
        assert_eq!(on_the_wire, format!("REASON_{}", reason.as_str().to_uppercase()));
    }
    for priority in [Priority::Person, Priority::Operator, Priority::Forecast] {
        assert_eq!(Priority::from_rank(priority as i64), Some(priority));
    }
    assert_eq!([-1, 3].map(Priority::from_rank), [None, None]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let outcome = prop::sample::select(vec![
        Outcome::Woken,
        Outcome::AlreadyAwake,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::TimedOut,
        Outcome::Cancelled,
    ]);
    let effect =
        prop::sample::select(vec![edge::Effect::None, edge::Effect::Unknown, edge::Effect::Accepted]);
    let phase = prop::sample::select(vec![
        Phase::Received,
        Phase::Eligible,
        Phase::Calling,
        Phase::Accepted,
        Phase::Unknown,
        Phase::Done,
    ]);
    let at = 0..5000i64;
    prop_oneof![
        4 => at.clone().prop_map(dispatch),
        3 => (1..4u32, phase, at.clone())
            .prop_map(|(attempt, phase, at)| Event::Progress { attempt, phase, at: t(at) }),
        4 => (1..4u32, outcome, effect, any::<bool>(), at.clone())
            .prop_map(|(n, outcome, effect, again, at)| result(n, outcome, effect, again, at)),
        1 => (at.clone(), 1..9u64, any::<bool>()).prop_map(|(at, epoch, same)| Event::Reconnected {
            epoch,
            journal_id: if same { "j1".into() } else { "j2".into() },
            at: t(at),
        }),
        1 => at.clone().prop_map(|at| Event::Join {
            by: "ann".into(),
            at: t(at),
            expires_at: t(at + 900),
        }),
        1 => at.clone().prop_map(|at| Event::Cancel { by: "ann".into(), at: t(at) }),
        1 => at.clone().prop_map(|at| Event::Force { by: "ann".into(), at: t(at) }),
        1 => (at, any::<bool>()).prop_map(|(at, host_connected)| Event::Tick { at: t(at), host_connected, held_by: None }),
    ]
}

proptest! {
    /// Whatever comes in whatever order: one end, which nothing changes; attempts only grow; a new attempt follows
    /// only a result that says there was no effect; a repeated event changes nothing more.
    #[test]
    fn storms_of_events_keep_the_promises(events in prop::collection::vec(any_event(), 1..60)) {
        let rule = RetryRule::default();
        let mut wake = queued();
        for event in &events {
            let Ok((next, effects)) = step(&wake, event, &rule) else { continue };
            if let Some(end) = wake.state.ended() {
                prop_assert_eq!(next.state.ended(), Some(end));
                prop_assert!(effects.is_empty());
            }
            prop_assert!(next.last_attempt >= wake.last_attempt);
            if let (Some(_), State::Queued { attempt, .. }) = (wake.state.run(), &next.state) {
                let Event::Result { result, .. } = event else { return Err(TestCaseError::fail("requeued without a result")) };
                prop_assert_eq!(result.effect, edge::Effect::None);
                prop_assert!(result.retryable);
                prop_assert_eq!(*attempt, wake.last_attempt + 1);
            }
            prop_assert!(next.state.run().is_none() || next.state.ended().is_none());
            if let Ok((again, _)) = step(&next, event, &rule) {
                prop_assert_eq!(&again, &next, "a repetition of {} changed the wake", event.name());
            }
            wake = next;
        }
    }
}
