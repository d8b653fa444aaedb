//! Builders and a small world for the tests of this room.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use reveille_proto::{
    InstanceId, WakeId,
    clock::Clock,
    points::Points,
    v1::{self, agent_message::Kind},
    waits::Waits,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    Book, Ending, Executor, Limits, Order, Parts,
    journal::{Journal, JournalFile},
};
use crate::{
    config::StatusWord,
    driver::{Call, CallOutcome, Driver, Platform, Probe, Target},
    group::Tally,
    load::{Reading, Sample},
    metrics::Metrics,
};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

pub(super) fn wake(n: u8) -> WakeId {
    format!("0190a1b2-0000-7000-8000-{n:012}").parse().expect("valid")
}

pub(super) fn instance(n: u8) -> InstanceId {
    format!("dev{n}").parse().expect("valid")
}

/// Wake `n` of instance `n`, with five minutes.
pub(super) fn order(n: u8, attempt: u32) -> Order {
    Order {
        wake: wake(n),
        epoch: 1,
        attempt,
        instance: instance(n),
        reason: v1::Reason::Forecast,
        deadline: at(300),
        idempotency_key: format!("key-{n}"),
        look_only: false,
    }
}

pub(super) fn ending(outcome: v1::Outcome, effect: v1::Effect, at: Timestamp) -> Ending {
    Ending {
        outcome,
        effect,
        detail: String::new(),
        at,
        called_at: None,
        serving_at: None,
        retry_after_s: None,
        retryable: true,
        code: String::new(),
    }
}

/// An instance that boots in a number of looks after it was called.
#[derive(Debug)]
pub(super) struct Booting {
    pub(super) calls: AtomicU32,
    pub(super) cancels: AtomicU32,
    pub(super) looks: AtomicU32,
    /// Looks until it serves; `u32::MAX` is never.
    pub(super) looks_left: AtomicU32,
    /// Serves although nobody called.
    pub(super) awake: std::sync::atomic::AtomicBool,
    outcome: CallOutcome,
    /// Each look takes as long as this says.
    look_takes: Duration,
    /// Called and not to be answered.
    hang: bool,
    /// Whether there is a platform to ask, and what it says.
    asked: bool,
    pub(super) word: Mutex<Result<StatusWord, String>>,
    pub(super) called: Notify,
    clock: Clock,
}

impl Booting {
    pub(super) fn new(clock: &Clock, outcome: CallOutcome, looks_left: u32) -> Self {
        Self {
            calls: 0.into(),
            cancels: 0.into(),
            looks: 0.into(),
            looks_left: looks_left.into(),
            awake: false.into(),
            outcome,
            look_takes: Duration::ZERO,
            hang: false,
            asked: false,
            word: Mutex::new(Err("nothing".into())),
            called: Notify::new(),
            clock: clock.clone(),
        }
    }

    pub(super) fn slow_to_look_at(self, look_takes: Duration) -> Self {
        Self { look_takes, ..self }
    }

    pub(super) fn hanging(self) -> Self {
        Self { hang: true, ..self }
    }

    pub(super) fn with_platform(self, word: Result<StatusWord, String>) -> Self {
        Self { asked: true, word: Mutex::new(word), ..self }
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }
}

struct Handle(Arc<Booting>);

impl Driver for Handle {
    fn call<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async {
            self.0.calls.fetch_add(1, SeqCst);
            self.0.called.notify_one();
            if self.0.hang {
                std::future::pending::<()>().await;
            }
            self.0.outcome.clone()
        })
    }

    fn cancel<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(async {
            self.0.cancels.fetch_add(1, SeqCst);
        })
    }
}

impl Probe for Handle {
    fn look(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.0.clock.sleep(self.0.look_takes).await;
            self.0.looks.fetch_add(1, SeqCst);
            if self.0.awake.load(SeqCst) {
                return Ok(());
            }
            if self.0.calls() == 0 {
                return Err("asleep".into());
            }
            let left = self.0.looks_left.fetch_update(SeqCst, SeqCst, |left| match left {
                u32::MAX => Some(left),
                left => Some(left.saturating_sub(1)),
            });
            if left == Ok(0) { Ok(()) } else { Err("booting".into()) }
        })
    }
}

impl Platform for Handle {
    fn word(&self) -> BoxFuture<'_, Result<StatusWord, String>> {
        Box::pin(async { self.0.word.lock().expect("nobody panics while holding it").clone() })
    }
}

/// An executor over a journal in `dir`, with what it reports.
pub(super) struct Rig {
    pub(super) executor: Executor,
    pub(super) reports: mpsc::Receiver<v1::AgentMessage>,
    pub(super) load: watch::Sender<Option<Reading>>,
    pub(super) stop: CancellationToken,
    writer: JoinHandle<()>,
}

impl Rig {
    pub(super) fn open(dir: &Path, clock: &Clock, instances: &[Arc<Booting>], wakes_max: u32) -> Self {
        let (file, book) = JournalFile::open(dir, "journal", clock.now()).expect("opened");
        Self::over(file, book, clock, instances, wakes_max)
    }

    pub(super) fn over(
        file: JournalFile,
        book: Book,
        clock: &Clock,
        instances: &[Arc<Booting>],
        wakes_max: u32,
    ) -> Self {
        let (journal, writer) = Journal::start(file, Points::default(), Waits::default());
        let sample = Sample { cpu_percent: 10.0, cores: 4.0, ..Sample::default() };
        let far = at(1_000_000); // fresh for every test, unless it says otherwise
        let load = watch::Sender::new(Some(Reading { measured_at: far, sample }));
        let target = |booting: &Arc<Booting>| Target {
            cohort: String::new(),
            kind: "test",
            driver: Box::new(Handle(Arc::clone(booting))),
            probe: Box::new(Handle(Arc::clone(booting))),
            platform: booting.asked.then(|| -> Box<dyn Platform> { Box::new(Handle(Arc::clone(booting))) }),
            successes: 2,
            interval: Duration::from_secs(1),
        };
        let stop = CancellationToken::new();
        let executor = Executor::new(Parts {
            clock: clock.clone(),
            host: "host-1".parse().expect("valid"),
            targets: (1..).map(instance).zip(instances.iter().map(target)).collect(),
            journal,
            book,
            limits: Limits { cpu_ceiling_percent: 80.0, wakes_max, stopped: false },
            load: load.subscribe(),
            tally: Tally::default(),
            metrics: Metrics::default(),
            stop: stop.clone(),
            points: Points::default(),
        });
        let (link, reports) = mpsc::channel(1000);
        executor.attach(Some(link));
        executor.resume();
        Self { executor, reports, load, stop, writer }
    }

    pub(super) async fn next(&mut self) -> Kind {
        self.reports.recv().await.and_then(|message| message.kind).expect("the executor lives")
    }

    /// The next result, whatever is reported before it.
    pub(super) async fn result(&mut self) -> v1::Result {
        loop {
            if let Kind::Result(result) = self.next().await {
                return result;
            }
        }
    }

    /// Waits until a wake has come to `phase`.
    pub(super) async fn phase(&mut self, phase: v1::Phase) {
        while !matches!(self.next().await, Kind::Progress(p) if p.phase == i32::from(phase)) {}
    }

    /// From now on nothing can be written to the journal.
    pub(super) fn lose_the_disk(&self) {
        self.writer.abort();
    }

    /// Ends as the agent does, and gives the journal free.
    pub(super) async fn shut(self) {
        self.stop.cancel();
        self.executor.drained().await;
        drop(self.executor);
        self.writer.await.expect("the writer ends");
    }
}
