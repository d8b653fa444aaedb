//! One wake after the other, with time that passes only when nothing else can happen.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use jiff::SignedDuration;
use reveille_proto::{
    clock::Clock,
    edge::Observed,
    v1::{self, Effect, Outcome, Phase, agent_message::Kind},
};

use super::{
    Order,
    harness::{Booting, Rig, at, instance, order, wake},
};
use crate::{
    config::StatusWord,
    driver::CallOutcome,
    load::{Reading, Sample},
};

mod crash;

struct World {
    dir: tempfile::TempDir,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), clock: Clock::scaled(at(0), 1.0) }
    }

    fn instance(&self, outcome: CallOutcome, looks: u32) -> Arc<Booting> {
        Arc::new(Booting::new(&self.clock, outcome, looks))
    }

    fn rig(&self, instances: &[Arc<Booting>]) -> Rig {
        Rig::open(self.dir.path(), &self.clock, instances, 10)
    }
}

fn refused() -> CallOutcome {
    CallOutcome::Refused {
        detail: "it answered 503".into(),
        retry_after_s: Some(9),
        retryable: true,
        overloaded: true,
    }
}

fn unknown() -> CallOutcome {
    CallOutcome::Unknown { detail: "cut".into() }
}

fn ended(result: &v1::Result) -> (Outcome, Effect) {
    (result.outcome(), result.effect())
}

#[tokio::test(start_paused = true)]
async fn a_wake_goes_through_its_phases_to_serving_and_a_repeat_is_harmless() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, 7);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    let mut phases = Vec::new();
    let result = loop {
        match rig.next().await {
            Kind::Progress(progress) => phases.push(progress.phase()),
            Kind::Result(result) => break result,
            _ => {}
        }
    };
    assert_eq!(phases, [Phase::Received, Phase::Eligible, Phase::Calling, Phase::Accepted]);
    assert_eq!(ended(&result), (Outcome::Woken, Effect::Accepted));
    assert_eq!(result.called_at_ms, Some(at(0).as_millisecond()));
    // Seven looks fail, a second apart; the eighth is the first of the two it takes.
    assert_eq!(result.serving_at_ms, Some(at(7).as_millisecond()));
    assert_eq!((result.at_ms, rig.executor.active()), (at(8).as_millisecond(), 0));
    rig.executor.wake(order(1, 1));
    assert!(matches!(rig.next().await, Kind::Ack(ack) if ack.attempt == 1));
    assert_eq!(rig.result().await, result);
    assert_eq!(dev.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_while_it_goes_on_tells_how_far_it_is() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, 50);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Accepted).await;
    rig.executor.wake(order(1, 1));
    assert!(matches!(rig.next().await, Kind::Ack(_)));
    assert!(matches!(rig.next().await, Kind::Progress(p) if p.phase() == Phase::Accepted));
    assert_eq!(rig.result().await.outcome(), Outcome::Woken);
    assert_eq!(dev.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_awake_instance_is_not_called() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, 0);
    dev.awake.store(true, SeqCst);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    let result = rig.result().await;
    assert_eq!(ended(&result), (Outcome::AlreadyAwake, Effect::None));
    assert_eq!((result.called_at_ms, dev.calls()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_may_be_tried_again() {
    let world = World::new();
    let dev = world.instance(refused(), u32::MAX);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    for attempt in [1, 2] {
        rig.executor.wake(order(1, attempt));
        let result = rig.result().await;
        assert_eq!((result.attempt, ended(&result)), (attempt, (Outcome::Failed, Effect::None)));
        assert_eq!((result.retry_after_s, result.retryable, dev.calls()), (Some(9), true, attempt));
        assert!(result.called_at_ms.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_that_is_the_endpoints_own_is_told_by_its_code() {
    for (overloaded, code) in [(false, "endpoint_refused"), (true, "")] {
        let world = World::new();
        let no = CallOutcome::Refused {
            detail: "it answered".into(),
            retry_after_s: None,
            retryable: true,
            overloaded,
        };
        let mut rig = world.rig(&[world.instance(no, u32::MAX)]);
        rig.executor.wake(order(1, 1));
        assert_eq!(rig.result().await.code, code);
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_unknown_call_a_new_attempt_only_looks() {
    let world = World::new();
    let dev = world.instance(unknown(), u32::MAX);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    let result = rig.result().await;
    assert_eq!(ended(&result), (Outcome::TimedOut, Effect::Unknown));
    assert_eq!((result.at_ms, rig.executor.active()), (at(300).as_millisecond(), 0));
    assert!(result.detail.ends_with("what the endpoint said to the call: cut"), "{}", result.detail);
    dev.looks_left.store(3, SeqCst);
    rig.executor.wake(Order { deadline: at(600), ..order(1, 2) });
    assert_eq!(ended(&rig.result().await), (Outcome::Woken, Effect::Unknown));
    assert_eq!(dev.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_higher_attempt_takes_over_from_one_that_waits() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, 100);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Accepted).await;
    rig.executor.wake(order(1, 2));
    let result = rig.result().await;
    assert_eq!((result.attempt, ended(&result)), (2, (Outcome::Woken, Effect::Accepted)));
    assert_eq!(dev.calls(), 1);
    rig.executor.wake(order(1, 1));
    assert!(
        matches!(rig.next().await, Kind::Ack(ack) if ack.attempt == 1),
        "a late one is only acknowledged"
    );
}

#[tokio::test(start_paused = true)]
async fn look_only_never_calls() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, 0);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(Order { look_only: true, ..order(1, 1) });
    rig.phase(Phase::Unknown).await;
    assert_eq!(ended(&rig.result().await), (Outcome::TimedOut, Effect::Unknown));
    assert_eq!(dev.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_answers_ends_at_the_deadline_as_unknown() {
    let world = World::new();
    let dev = Arc::new(Booting::new(&world.clock, unknown(), u32::MAX).hanging());
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    let result = rig.result().await;
    assert_eq!(ended(&result), (Outcome::TimedOut, Effect::Unknown));
    assert!(result.called_at_ms.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_the_wait_and_what_was_started() {
    let world = World::new();
    let dev = world.instance(CallOutcome::Accepted, u32::MAX);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Accepted).await;
    rig.executor.cancel(wake(1), 0);
    world.clock.sleep(Duration::from_secs(20)).await;
    assert_eq!(rig.executor.active(), 1, "the cancel of an older epoch changes nothing");
    rig.executor.cancel(wake(1), 1);
    assert_eq!(ended(&rig.result().await), (Outcome::Cancelled, Effect::Accepted));
    assert_eq!(dev.cancels.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_call_means_no_call() {
    let world = World::new();
    let dev = Booting::new(&world.clock, CallOutcome::Accepted, 0).slow_to_look_at(Duration::from_secs(20));
    let dev = Arc::new(dev);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Received).await;
    rig.executor.cancel(wake(1), 1);
    assert_eq!(ended(&rig.result().await), (Outcome::Cancelled, Effect::None));
    assert_eq!((dev.calls(), dev.cancels.load(SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_before_the_call_means_no_call() {
    let world = World::new();
    let dev = Booting::new(&world.clock, CallOutcome::Accepted, 0).slow_to_look_at(Duration::from_secs(400));
    let dev = Arc::new(dev);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    assert_eq!(ended(&rig.result().await), (Outcome::TimedOut, Effect::None));
    assert_eq!(dev.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn commands_of_a_replaced_controller_are_ignored() {
    let world = World::new();
    let devs = [world.instance(CallOutcome::Accepted, 0), world.instance(CallOutcome::Accepted, 0)];
    let mut rig = world.rig(&devs);
    rig.executor.see_epoch(7);
    rig.executor.wake(Order { epoch: 6, ..order(1, 1) });
    rig.executor.wake(Order { epoch: 7, ..order(2, 1) });
    assert_eq!(rig.result().await.wake_id, wake(2).to_string());
    assert_eq!((devs[0].calls(), rig.executor.unfinished().len()), (0, 1));
    rig.shut().await;
    let mut rig = world.rig(&devs);
    rig.executor.wake(Order { epoch: 6, ..order(1, 1) });
    rig.executor.wake(Order { epoch: 7, ..order(2, 1) });
    assert_eq!(rig.result().await.wake_id, wake(2).to_string());
    assert_eq!(devs[0].calls(), 0, "the epoch is in the journal");
}

/// S6. The command is on its way to the disk when the controller is replaced.
#[tokio::test(start_paused = true)]
async fn what_a_replaced_controller_wanted_is_taken_only_if_its_successor_wants_it_too() {
    for is_wanted in [false, true] {
        let world = World::new();
        let dev = world.instance(CallOutcome::Accepted, 2);
        let mut rig = world.rig(std::slice::from_ref(&dev));
        rig.executor.wake(order(1, 1));
        rig.executor.see_epoch(2);
        if is_wanted {
            rig.executor.wake(Order { epoch: 2, ..order(1, 1) });
            assert!(matches!(rig.next().await, Kind::Ack(ack) if ack.epoch == 2));
            let result = rig.result().await;
            assert_eq!((result.epoch, ended(&result)), (2, (Outcome::Woken, Effect::Accepted)));
        } else {
            rig.executor.drained().await;
            assert!(rig.reports.try_recv().is_err() && rig.executor.unfinished().is_empty());
        }
        assert_eq!(dev.calls(), u32::from(is_wanted));
    }
}

#[tokio::test(start_paused = true)]
async fn the_guard_refuses_whatever_the_controller_says() {
    let world = World::new();
    let devs = [1, 2, 3].map(|_| world.instance(CallOutcome::Accepted, 60));
    let mut rig = Rig::open(world.dir.path(), &world.clock, &devs, 2);
    rig.executor.configure(&v1::Configure {
        wakes_max: 50,
        cpu_ceiling_percent: 100.0,
        load_interval_ms: 0,
        stopped: false,
    });
    rig.executor.wake(Order { instance: instance(9), ..order(9, 1) });
    let result = rig.result().await;
    assert_eq!((ended(&result), result.retryable), ((Outcome::Refused, Effect::None), false), "not listed");
    assert_eq!(result.code, "not_listed");

    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Accepted).await;
    rig.executor.wake(Order { instance: instance(1), ..order(4, 1) });
    let result = rig.result().await;
    assert_eq!((ended(&result), result.retryable), ((Outcome::Refused, Effect::None), true), "busy");
    assert!(result.detail.contains(&wake(1).to_string()), "{}", result.detail);
    assert_eq!(result.code, "busy");

    rig.executor.wake(order(2, 1));
    rig.phase(Phase::Accepted).await;
    assert_eq!(rig.executor.active(), 2);
    rig.executor.wake(order(3, 1));
    let result = rig.result().await;
    assert_eq!((ended(&result), result.retryable), ((Outcome::Refused, Effect::None), true), "count");
    assert_eq!(result.code, "full");

    assert_eq!(rig.result().await.outcome(), Outcome::Woken);
    assert_eq!(rig.result().await.outcome(), Outcome::Woken);
    let hot = Sample { cpu_percent: 81.0, cores: 4.0, ..Sample::default() };
    rig.load.send_replace(Some(Reading { measured_at: at(1_000_000), sample: hot }));
    rig.executor.wake(order(3, 2));
    let result = rig.result().await;
    assert!(result.detail.contains("81 %") && result.code == "hot", "ceiling: {result:?}");
    assert_eq!(devs[2].calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_last_seen_of_an_instance_is_known_without_a_look() {
    let world = World::new();
    let devs = [world.instance(CallOutcome::Accepted, 3), world.instance(refused(), 0)];
    let mut rig = world.rig(&devs);
    let observed = |rig: &Rig| rig.executor.observed().into_iter().map(|(_, seen)| seen).collect::<Vec<_>>();
    assert_eq!(observed(&rig), [Observed::Unknown; 2]);
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Accepted).await;
    assert_eq!(observed(&rig), [Observed::Starting, Observed::Unknown]);
    rig.result().await;
    rig.executor.wake(order(2, 1));
    rig.result().await;
    assert_eq!(observed(&rig), [Observed::Serving, Observed::Asleep], "preflight said so");
}

#[tokio::test(start_paused = true)]
async fn the_platform_is_asked_before_a_call_and_its_no_is_a_refusal() {
    let world = World::new();
    let asked = |word| Arc::new(Booting::new(&world.clock, CallOutcome::Accepted, 1).with_platform(word));
    let devs = [
        asked(Ok(StatusWord::Asleep)),
        asked(Ok(StatusWord::OptedOut)),
        asked(Ok(StatusWord::Upgrading)),
        asked(Err("it answered 500".into())),
    ];
    let mut rig = world.rig(&devs);
    rig.executor.wake(order(1, 1));
    assert_eq!(rig.result().await.outcome(), Outcome::Woken);
    for (n, code, retryable) in [(2, "opted_out", false), (3, "upgrading", true), (4, "status_unknown", true)]
    {
        rig.executor.wake(order(n, 1));
        let result = rig.result().await;
        assert_eq!((ended(&result), result.code.as_str()), ((Outcome::Refused, Effect::None), code));
        assert_eq!((result.retryable, devs[usize::from(n) - 1].calls()), (retryable, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_says_is_starting_is_waited_for_without_a_call() {
    let world = World::new();
    let dev = Booting::new(&world.clock, CallOutcome::Accepted, 0).with_platform(Ok(StatusWord::Starting));
    let dev = Arc::new(dev);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Received).await;
    world.clock.sleep(Duration::from_secs(20)).await;
    dev.awake.store(true, SeqCst);
    let result = rig.result().await;
    assert_eq!(ended(&result), (Outcome::AlreadyAwake, Effect::None));
    assert_eq!(result.serving_at_ms, Some(at(20).as_millisecond()));

    dev.awake.store(false, SeqCst);
    rig.executor.wake(Order { wake: wake(2), ..order(1, 1) });
    let result = rig.result().await;
    assert_eq!((ended(&result), result.retryable), ((Outcome::TimedOut, Effect::None), true));
    *dev.word.lock().expect("free") = Ok(StatusWord::Asleep);
    dev.looks_left.store(2, SeqCst);
    rig.executor.wake(Order { wake: wake(2), deadline: at(900), ..order(1, 2) });
    assert_eq!(
        (rig.result().await.outcome(), dev.calls()),
        (Outcome::Woken, 1),
        "the next attempt asks anew"
    );
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_are_all_passed_over_refuse_for_a_while() {
    let world = World::new();
    let dev = world.instance(CallOutcome::PassedOver { retry_after_s: 12 }, 0);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    let result = rig.result().await;
    assert_eq!((ended(&result), result.code.as_str()), ((Outcome::Refused, Effect::None), "breaker_open"));
    assert_eq!((result.retry_after_s, result.retryable, result.called_at_ms), (Some(12), true, None));
}

#[tokio::test(start_paused = true)]
async fn a_new_agent_looks_where_the_old_one_called_and_goes_on_where_it_had_not() {
    let world = World::new();
    let called = Arc::new(Booting::new(&world.clock, unknown(), 5).hanging());
    let slow = Booting::new(&world.clock, CallOutcome::Accepted, 0).slow_to_look_at(Duration::from_secs(20));
    let devs = [called, Arc::new(slow)];
    let mut rig = world.rig(&devs);
    rig.executor.wake(order(2, 1));
    rig.phase(Phase::Received).await;
    rig.executor.wake(order(1, 1));
    devs[0].called.notified().await;
    rig.shut().await;

    let mut rig = Rig::open(world.dir.path(), &world.clock, &devs, 2);
    let mut results = [rig.result().await, rig.result().await];
    results.sort_by(|a, b| a.wake_id.cmp(&b.wake_id));
    assert_eq!(ended(&results[0]), (Outcome::Woken, Effect::Unknown));
    assert_eq!(ended(&results[1]), (Outcome::Woken, Effect::Accepted));
    assert_eq!((devs[0].calls(), devs[1].calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_result_is_told_until_it_is_acknowledged() {
    let world = World::new();
    let devs = [world.instance(CallOutcome::Accepted, 0)];
    let mut rig = world.rig(&devs);
    rig.executor.wake(order(1, 1));
    let result = rig.result().await;
    rig.executor.acked(wake(1), 9);
    rig.executor.tell_results();
    assert_eq!(rig.result().await, result);
    rig.shut().await;
    let mut rig = world.rig(&devs);
    assert_eq!(rig.executor.unfinished()[0].phase(), Phase::Done);
    rig.executor.tell_all();
    assert_eq!(rig.result().await, result);
    rig.executor.acked(wake(1), 1);
    assert_eq!(rig.executor.unfinished(), []);
    rig.shut().await;
    assert_eq!(world.rig(&devs).executor.unfinished(), []);
}

/// S3. Here a millisecond of waiting for the disk lasts a quarter of an hour.
#[tokio::test]
async fn a_preflight_that_grew_old_is_done_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::scaled(at(0), 1_000_000.0);
    let dev = Arc::new(Booting::new(&clock, CallOutcome::Accepted, 0));
    let rig = Rig::open(dir.path(), &clock, std::slice::from_ref(&dev), 1);
    // Far enough in the future for the clock's pace, and the load with it.
    let sample = Sample { cpu_percent: 1.0, cores: 1.0, ..Sample::default() };
    rig.load.send_replace(Some(Reading { measured_at: at(4_000_000_000), sample }));
    rig.executor.wake(Order { deadline: at(4_000_000_000), ..order(1, 1) });
    dev.called.notified().await;
    assert!(dev.looks.load(SeqCst) >= 2, "the disk took longer than a preflight lives");
}
