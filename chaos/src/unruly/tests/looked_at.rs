//! After a doubtful answer the agent looks and never calls again: the endpoint's books show one effect.

use std::time::Duration;

use jiff::SignedDuration;
use reveille_agent::{
    execute::{
        Executor, Limits, Order, Parts,
        journal::{Journal, JournalFile},
    },
    group::Tally,
    load::{Reading, Sample},
    metrics::Metrics,
};
use reveille_proto::{
    clock::Clock,
    points::Points,
    v1::{self, Effect, Outcome, agent_message::Kind},
    waits::Waits,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::rig::{Rig, WAKE};
use crate::unruly::{
    Manner,
    manner::{LateUp, LostResponse, Reset, Silent},
};

/// A real executor over `rig`, and what it reports.
struct Agent {
    executor: Executor,
    reports: mpsc::Receiver<v1::AgentMessage>,
    // Read until the end.
    _load: watch::Sender<Option<Reading>>,
}

impl Agent {
    fn start(rig: &Rig) -> Self {
        let clock = Clock::system();
        let (file, book) = JournalFile::open(rig.dir.path(), "journal", clock.now()).expect("opened");
        let (journal, _writer) = Journal::start(file, Points::default(), Waits::default());
        let sample = Sample { cpu_percent: 1.0, cores: 4.0, ..Sample::default() };
        let load = watch::Sender::new(Some(Reading { measured_at: clock.now(), sample }));
        let executor = Executor::new(Parts {
            clock,
            host: "host-1".parse().expect("valid"),
            targets: rig.targets(),
            journal,
            book,
            limits: Limits { cpu_ceiling_percent: 99.0, wakes_max: 4, stopped: false },
            load: load.subscribe(),
            tally: Tally::default(),
            metrics: Metrics::default(),
            stop: CancellationToken::new(),
            points: Points::default(),
        });
        let (link, reports) = mpsc::channel(100);
        executor.attach(Some(link));
        Self { executor, reports, _load: load }
    }

    /// Carries out an attempt of the wake with so many seconds, and gives its result.
    async fn wake(&mut self, attempt: u32, deadline_s: i64) -> v1::Result {
        let deadline = Clock::system().now() + SignedDuration::from_secs(deadline_s);
        self.executor.wake(Order {
            wake: WAKE.parse().expect("valid"),
            epoch: 1,
            attempt,
            instance: "dev1".parse().expect("valid"),
            reason: v1::Reason::Forecast,
            deadline,
            idempotency_key: "key-1".into(),
            look_only: false,
        });
        let reports = &mut self.reports;
        let result = async {
            loop {
                let message = reports.recv().await.expect("the executor lives");
                match message.kind {
                    Some(Kind::Result(result)) if result.attempt == attempt => return result,
                    _ => {}
                }
            }
        };
        timeout(Duration::from_secs(60), result).await.expect("it ends")
    }
}

fn ended(result: &v1::Result) -> (Outcome, Effect) {
    (result.outcome(), result.effect())
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_looked_after_and_not_repeated() {
    for manner in [
        Manner::LostResponse(LostResponse { half: false }),
        Manner::Reset(Reset { has_effect: true }),
        Manner::Silent(Silent { has_effect: true }),
    ] {
        let kind = manner.kind();
        let rig = Rig::new(manner).await;
        let result = Agent::start(&rig).wake(1, 30).await;
        assert_eq!(ended(&result), (Outcome::Woken, Effect::Unknown), "{kind}");
        assert_eq!((rig.effects(), rig.hits()), (1, 1), "{kind}: one call");
    }
}

#[tokio::test]
async fn a_second_attempt_after_a_doubtful_first_only_looks() {
    let rig = Rig::new(Manner::Reset(Reset { has_effect: false })).await;
    let mut agent = Agent::start(&rig);
    let result = agent.wake(1, 2).await;
    assert_eq!(ended(&result), (Outcome::TimedOut, Effect::Unknown), "it never comes up");
    rig.unruly.behave();
    let result = agent.wake(2, 2).await;
    assert_eq!(ended(&result), (Outcome::TimedOut, Effect::Unknown));
    assert_eq!((rig.effects(), rig.unruly.seen().len()), (0, 1), "nobody called again");
}

#[tokio::test]
async fn an_instance_that_never_comes_up_is_given_up_at_the_deadline_with_one_call() {
    let rig = Rig::new(Manner::NeverUp).await;
    let result = Agent::start(&rig).wake(1, 2).await;
    assert_eq!(ended(&result), (Outcome::TimedOut, Effect::Accepted));
    assert_eq!(rig.effects(), 1);
    assert!(rig.hits() > 0, "it should have been up, and was not");
}

#[tokio::test]
async fn an_instance_that_comes_up_late_is_waited_for() {
    let rig = Rig::new(Manner::LateUp(LateUp { later: Duration::from_millis(300) })).await;
    let result = Agent::start(&rig).wake(1, 30).await;
    assert_eq!(ended(&result), (Outcome::Woken, Effect::Accepted));
    assert_eq!(rig.effects(), 1);
    assert!(rig.hits() > 0, "it was looked at before");
}
