//! One attempt, from the guard to its ending. A function per state; the book is told before the world is.

use std::{sync::OnceLock, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    edge::ENDPOINT_REFUSED,
    planted,
    points::Step,
    v1::{Effect, Observed, Outcome},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Ending, Next, Order, Record, Refusal,
    preflight::{Finding, finding},
    running::Inner,
};
use crate::chain::Chain;
use crate::driver::{Call, CallOutcome, Target};

/// An older preflight proves nothing at the moment of the call.
const PREFLIGHT_AGE_MAX_S: i64 = 30;

/// Real seconds for the last look when the deadline has passed.
const LAST_LOOK_S: u64 = 5;

/// An attempt that has its place among the active ones.
pub(super) struct Attempt<'a> {
    pub(super) inner: &'a Inner,
    pub(super) order: &'a Order,
    pub(super) target: &'a Target,
    /// What the endpoint answered when that was no yes and no certain no.
    pub(super) unclear: OnceLock<String>,
}

impl Attempt<'_> {
    /// Carries it out, and lets go of what the driver held back. Dropping this at any point is a crash: the journal
    /// tells what may have happened.
    pub(super) async fn run(&self, next: Next, cancel: &CancellationToken) -> Ending {
        let ending = self.until_over(next, cancel).await;
        self.target.driver.over().await;
        ending
    }

    async fn until_over(&self, next: Next, cancel: &CancellationToken) -> Ending {
        let work = async {
            match next {
                Next::Go => self.go().await,
                Next::Look | Next::Over => self.look().await,
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => self.cancelled().await,
            ending = work => ending,
            () = self.inner.clock.sleep_until(self.order.deadline), if !planted!("deadline-ignored") => {
                self.timed_out().await
            }
        }
    }

    /// Preflight and call.
    async fn go(&self) -> Ending {
        // A look is as old as its question: the answer may have been long on its way.
        let mut looked_at = self.now();
        if let Some(ending) = self.preflight().await {
            return ending;
        }
        self.inner.state().seen.saw(&self.order.instance, Observed::Asleep);
        self.note(|wake, attempt, at| Record::Eligible { wake, attempt, at }).await;
        // The intent is on disk before the call: after a crash nobody calls again.
        let intent = Record::Calling { wake: self.order.wake, attempt: self.order.attempt, at: self.now() };
        if self.inner.record(intent).await.is_err() {
            return refused(&Refusal::Journal, Effect::None, self.now());
        }
        while self.now().duration_since(looked_at) > SignedDuration::from_secs(PREFLIGHT_AGE_MAX_S) {
            looked_at = self.now();
            if let Some(ending) = self.preflight().await {
                return ending;
            }
        }
        if self.now() >= self.order.deadline {
            return Ending {
                detail: "the deadline passed before the call".into(),
                ..self.ended(Outcome::TimedOut, Effect::None)
            };
        }
        // The lever may have been pulled since the guard was asked.
        if self.inner.state().limits.stopped {
            return refused(&Refusal::Stopped, Effect::None, self.now());
        }
        self.call().await
    }

    /// How it ends without a call; `None` when it is to be called.
    async fn preflight(&self) -> Option<Ending> {
        if planted!("preflight-skipped") {
            return None;
        }
        if self.order.attempt > 1 && planted!("preflight-of-the-attempt-before") {
            return None;
        }
        let word = async {
            match &self.target.platform {
                None => None,
                Some(platform) => Some(platform.word().await),
            }
        };
        let (answers, word) = tokio::join!(self.looks_awake(), word);
        match finding(answers, word) {
            Finding::Call => None,
            Finding::Awake => Some(self.already_awake()),
            Finding::Wait => Some(self.comes_up_alone().await),
            Finding::No(refusal) => {
                self.inner.state().seen.saw(&self.order.instance, Observed::Unknown);
                Some(refused(&refusal, Effect::None, self.now()))
            }
        }
    }

    /// Nobody here has called, and nobody will: if it does not come up by itself, the next attempt asks anew.
    async fn comes_up_alone(&self) -> Ending {
        info!(wake_id = %self.order.wake, instance_id = %self.order.instance, "its platform says that it is up or starting; waiting without a call");
        self.inner.state().seen.saw(&self.order.instance, Observed::Unknown);
        let serving_at = self.wait().await.serving_at;
        Ending { serving_at, detail: "it came up without a call".into(), ..self.already_awake() }
    }

    async fn call(&self) -> Ending {
        let called_at = self.now();
        let mut outcome = self.target.driver.call(&self.as_call()).await;
        if matches!(outcome, CallOutcome::Unknown { .. }) && planted!("called-again-after-a-lost-answer") {
            outcome = self.target.driver.call(&self.as_call()).await;
        }
        let Order { wake, instance, .. } = self.order;
        self.inner.points.pass(Step::Called, outcome.name(), Some(*wake), Some(instance));
        info!(wake_id = %self.order.wake, instance_id = %self.order.instance, ?outcome, "the endpoint was called");
        let no = |detail: String, retryable, called_at| Ending {
            detail,
            called_at,
            retryable,
            ..self.ended(Outcome::Failed, Effect::None)
        };
        match outcome {
            CallOutcome::Accepted => {
                self.note(|wake, attempt, at| Record::Accepted { wake, attempt, at }).await;
                if planted!("woken-at-accepted") {
                    return self.ended(Outcome::Woken, self.effect());
                }
                self.wait().await
            }
            CallOutcome::Unknown { detail } => {
                self.unclear.set(detail).ok();
                self.note(|wake, attempt, at| Record::Unknown { wake, attempt, at }).await;
                self.wait().await
            }
            CallOutcome::Refused { detail, retry_after_s, retryable, overloaded } => {
                let code = if overloaded { "" } else { ENDPOINT_REFUSED }.to_owned();
                Ending { retry_after_s, code, ..no(detail, retryable, Some(called_at)) }
            }
            CallOutcome::NotSent { detail, retryable } => no(detail, retryable, None),
            CallOutcome::PassedOver { retry_after_s } => Ending {
                retry_after_s: Some(retry_after_s),
                ..refused(&Refusal::BreakerOpen, Effect::None, self.now())
            },
        }
    }

    /// Waits without a call: an earlier one may have had its effect.
    async fn look(&self) -> Ending {
        if self.effect() != Effect::Accepted {
            self.note(|wake, attempt, at| Record::Unknown { wake, attempt, at }).await;
        }
        self.wait().await
    }

    /// Until it serves, as often in a row as it must.
    async fn wait(&self) -> Ending {
        let mut row = 0;
        let mut serving_at = None;
        loop {
            if self.looks_awake().await {
                row += 1;
                serving_at.get_or_insert(self.now());
            } else {
                (row, serving_at) = (0, None);
            }
            if row >= self.target.successes {
                return Ending { serving_at, ..self.ended(Outcome::Woken, self.effect()) };
            }
            self.inner.clock.sleep(self.target.interval).await;
        }
    }

    /// One last look, when there is something it could show: a restart may have overslept the deadline.
    async fn timed_out(&self) -> Ending {
        let effect = self.effect();
        let last_look = tokio::time::timeout(Duration::from_secs(LAST_LOOK_S), self.target.probe.look());
        if effect != Effect::None && self.target.successes == 1 && matches!(last_look.await, Ok(Ok(()))) {
            return Ending { serving_at: Some(self.now()), ..self.ended(Outcome::Woken, effect) };
        }
        let unclear =
            self.unclear.get().map(|answer| format!("; what the endpoint said to the call: {answer}"));
        Ending {
            detail: format!("it did not serve before the deadline{}", unclear.unwrap_or_default()),
            retryable: true,
            ..self.ended(Outcome::TimedOut, effect)
        }
    }

    async fn cancelled(&self) -> Ending {
        if self.effect() != Effect::None {
            self.target.driver.cancel(&self.as_call()).await;
        }
        Ending { detail: "stopped as asked".into(), ..self.ended(Outcome::Cancelled, self.effect()) }
    }

    fn already_awake(&self) -> Ending {
        Ending {
            serving_at: Some(self.now()),
            called_at: None,
            ..self.ended(Outcome::AlreadyAwake, Effect::None)
        }
    }

    async fn looks_awake(&self) -> bool {
        self.target.probe.look().await.is_ok() || planted!("any-answer-is-serving")
    }

    /// Tells journal, book and controller; a journal that fails here costs no more than a look after a crash.
    async fn note(&self, record: impl FnOnce(reveille_proto::WakeId, u32, Timestamp) -> Record) {
        let record = record(self.order.wake, self.order.attempt, self.now());
        if let Err(error) = self.inner.record(record).await {
            let error = Chain(&error);
            warn!(wake_id = %self.order.wake, instance_id = %self.order.instance, %error, "progress is not in the journal");
        }
    }

    /// An ending with what the book knows of the calls.
    fn ended(&self, outcome: Outcome, effect: Effect) -> Ending {
        let entry = self.inner.entry(self.order.wake);
        Ending {
            outcome,
            effect,
            detail: String::new(),
            at: self.now(),
            called_at: entry.and_then(|entry| entry.called_at).filter(|_| effect != Effect::None),
            serving_at: None,
            retry_after_s: None,
            retryable: false,
            code: String::new(),
        }
    }

    fn effect(&self) -> Effect {
        self.inner.entry(self.order.wake).map_or(Effect::Unknown, |entry| entry.effect)
    }

    fn as_call(&self) -> Call {
        Call {
            wake: self.order.wake,
            instance: self.order.instance.clone(),
            idempotency_key: self.order.idempotency_key.clone(),
        }
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

/// A no of the guard.
pub(super) fn refused(refusal: &Refusal, effect: Effect, at: Timestamp) -> Ending {
    Ending {
        outcome: Outcome::Refused,
        effect,
        detail: refusal.to_string(),
        at,
        called_at: None,
        serving_at: None,
        retry_after_s: None,
        retryable: refusal.retryable(),
        code: refusal.code().into(),
    }
}
