//! What a run came to: faults that bit, invariants that held, ground that was covered, and the fingerprint of its history.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Plan, run::Ended};
use crate::{
    experiment::{Judgement, Verdict},
    fault::FaultProof,
    history::{Event, Function, History, Kind},
    oracle::{self, Checked},
};

/// Invariants that must have had something to judge.
pub(super) const REQUIRED: [&str; 4] = ["S2", "S3", "S4", "L4"];

#[derive(Debug, Clone, Serialize)]
pub struct SimOutcome {
    pub seed: u64,
    pub verdict: Verdict,
    pub plan: Plan,
    pub faults: Vec<FaultProof>,
    pub invariants: Vec<Checked>,
    pub not_recovered: Vec<String>,
    /// What was reached, and how often: see [`covered`].
    pub coverage: BTreeMap<&'static str, u64>,
    pub events: usize,
    /// SHA-256 of the history, in hexadecimal.
    pub history_sha256: String,
    pub simulated_s: f64,
    pub wall_s: f64,
}

impl SimOutcome {
    pub(super) fn new(plan: &Plan, history: &History, bytes: &[u8], ended: Ended, wall: Duration) -> Self {
        let invariants = oracle::check_simulated(history);
        let judgement = Judgement {
            checked: &invariants,
            // A fault that bit nobody proves nothing of itself; that nothing else broke holds all the same. Which faults were
            // proven over all seeds is what a sweep tells.
            faults: &[],
            required: &REQUIRED,
            not_recovered: &ended.curtain.not_recovered,
            ..Judgement::default()
        };
        Self {
            seed: plan.seed,
            verdict: judgement.verdict(),
            plan: plan.clone(),
            faults: ended.curtain.proofs,
            not_recovered: ended.curtain.not_recovered,
            coverage: covered(&history.events),
            events: history.events.len(),
            history_sha256: fingerprint(bytes),
            simulated_s: ended.simulated.as_secs_f64(),
            wall_s: wall.as_secs_f64(),
            invariants,
        }
    }

    /// Each violated invariant with its first violation.
    pub fn violations(&self) -> impl Iterator<Item = (&'static str, &oracle::Violation)> {
        self.invariants.iter().filter_map(|one| Some((one.id, one.violations.first()?)))
    }
}

impl SimOutcome {
    /// In words, why it did not hold; empty where it did.
    pub fn why(&self) -> Vec<String> {
        let violated =
            self.violations().map(|(id, first)| format!("{id} at event {}: {}", first.i, first.text));
        let mut why: Vec<String> = violated.chain(self.not_recovered.iter().cloned()).collect();
        if self.verdict == Verdict::Inconclusive {
            let empty = self.invariants.iter().filter(|one| one.checked == 0 && REQUIRED.contains(&one.id));
            why.extend(empty.map(|one| format!("there was nothing to judge for {}", one.id)));
        }
        why
    }

    /// Ids of the violated invariants, each with its first violation.
    pub fn violated(&self) -> BTreeMap<&'static str, String> {
        self.violations().map(|(id, first)| (id, first.text.clone())).collect()
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("text can be written to");
    }
    text
}

/// What a history reached. A sweep in which one of these never happened has not looked there at all.
pub fn covered(events: &[Event]) -> BTreeMap<&'static str, u64> {
    let mut seen: BTreeMap<&'static str, u64> = GROUND.iter().map(|(name, _)| (*name, 0)).collect();
    for event in events {
        for (name, is_reached) in GROUND {
            if is_reached(event) {
                *seen.entry(name).or_default() += 1;
            }
        }
    }
    seen
}

type Ground = (&'static str, fn(&Event) -> bool);

fn ended(event: &Event, outcome: &str) -> bool {
    event.f == Function::SlotRelease && event.text("outcome") == Some(outcome)
}

const GROUND: [Ground; 15] = [
    ("forecast_sent", |event| {
        event.f == Function::CommandSend && event.text("reason") == Some("REASON_FORECAST")
    }),
    ("woken", |event| ended(event, "OUTCOME_WOKEN")),
    ("already_awake", |event| ended(event, "OUTCOME_ALREADY_AWAKE")),
    ("failed", |event| ended(event, "OUTCOME_FAILED")),
    ("timed_out", |event| ended(event, "OUTCOME_TIMED_OUT")),
    ("refused", |event| ended(event, "OUTCOME_REFUSED")),
    ("retried", |event| {
        event.f == Function::CommandSend && event.k.attempt.is_some_and(|attempt| attempt > 1)
    }),
    ("looked_only", |event| event.f == Function::CommandSend && event.flag("look_only") == Some(true)),
    ("fallback_called", |event| event.f == Function::CallEndpoint && event.node == "instance"),
    ("user_found_asleep", |event| event.f == Function::ManualWake && event.v.is_null()),
    ("demanded", |event| {
        event.f == Function::ManualWake && event.kind == Kind::Ok && event.text("what").is_some()
    }),
    ("load_at_ceiling", |event| {
        event.f == Function::LoadSample && event.number("cpu_percent").is_some_and(|cpu| cpu >= 70.0)
    }),
    ("session_lost", |event| event.f == Function::LeaseLost),
    ("crashed", |event| event.f == Function::Crash),
    ("ended", |event| event.f == Function::Terminal && event.kind == Kind::Ok),
];
