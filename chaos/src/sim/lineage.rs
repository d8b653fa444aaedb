//! What a success hangs on: a run that holds is played again and again, each time without one of the messages that led to it.
//!
//! After lineage-driven fault injection (Alvaro, Rosen, Hellerstein, SIGMOD 2015): a fault that matters must take away something
//! that a good outcome was made of, so that is where to look, and one message at a time is few enough to try them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::time::Instant;

use super::{Plan, SimOutcome, room, run::run_recorded};
use crate::{
    experiment::Verdict,
    history::{Event, Function, History},
    world::Missing,
};

#[derive(Debug, Clone)]
pub struct LineageSpec {
    /// What is played; it must hold.
    pub plan: Plan,
    pub jobs: usize,
    /// Plans that do not hold without a message are kept in this directory.
    pub keep: Option<PathBuf>,
    /// Messages that would not be tried by then are left out.
    pub budget: Option<Duration>,
}

/// What came of all messages of one name, lost in one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tried {
    pub tried: u64,
    pub held: u64,
    /// Wakes that ended in another way than with the message.
    pub ended_otherwise: u64,
}

/// The run without one message, where it did not hold.
#[derive(Debug, Clone, Serialize)]
pub struct Broken {
    pub missing: Missing,
    pub verdict: Verdict,
    pub why: Vec<String>,
    pub plan: Plan,
}

#[derive(Debug, Clone, Serialize)]
pub struct Lineage {
    pub seed: u64,
    /// Wakes that ended well, and messages about them.
    pub wakes: usize,
    pub messages: usize,
    /// Runs that did not fit into the budget.
    pub left_out: usize,
    /// Runs in which the message was not met: it proves nothing that they held.
    pub not_met: u64,
    /// By the name of the message; lost by itself, and with its session.
    pub lost_alone: BTreeMap<Function, Tried>,
    pub lost_with_session: BTreeMap<Function, Tried>,
    pub broken: Vec<Broken>,
    pub wall_s: f64,
    pub verdict: Verdict,
}

/// The messages that a wake which ended well was made of, in the order in which they passed.
pub fn supporting(history: &History) -> Vec<Missing> {
    let well: BTreeSet<&str> =
        ends(history).into_iter().filter(|(_, end)| is_well(end)).map(|(wake, _)| wake).collect();
    let mut seen = BTreeMap::new();
    let mut messages = Vec::new();
    for message in history.events.iter().filter_map(Missing::of) {
        let like: &mut u32 = seen.entry(message.clone()).or_default();
        let nth = std::mem::replace(like, *like + 1);
        if well.contains(message.wake.as_str()) {
            messages.push(Missing { nth, ..message });
        }
    }
    messages
}

/// How each wake ended.
fn ends(history: &History) -> BTreeMap<&str, &str> {
    let end = |event: &&Event| event.f == Function::Terminal;
    history
        .events
        .iter()
        .filter(end)
        .filter_map(|event| Some((event.k.wake.as_deref()?, event.text("end")?)))
        .collect()
}

fn is_well(end: &str) -> bool {
    matches!(end, "woken" | "already_awake")
}

/// Plays the plan, and once more without each message that supports a wake which ended well: lost by itself, as by a sender
/// whose buffer is full, and with the session it was said in, as when a connection breaks. `told` hears how many of all runs
/// are over.
///
/// # Errors
/// When the plan does not hold as it is, has no wake that ends well, or cannot be played.
pub fn lineage(spec: &LineageSpec, told: &(dyn Fn(usize, usize) + Sync)) -> anyhow::Result<Lineage> {
    let began = Instant::now();
    let whole = Plan { missing: None, ..spec.plan.clone() };
    let (outcome, history) = played(&whole)?;
    if outcome.verdict != Verdict::Held {
        bail!("the plan of seed {} does not hold as it is: {}", whole.seed, outcome.why().join("; "));
    }
    let messages = supporting(&history);
    if messages.is_empty() {
        bail!("no wake of seed {} ends well: there is no message to leave out", whole.seed);
    }
    let ends = ends(&history);
    let runs: Vec<Missing> = messages
        .iter()
        .flat_map(|message| [false, true].map(|ends_session| Missing { ends_session, ..message.clone() }))
        .collect();
    let lineage = Mutex::new(Lineage::new(whole.seed, &messages));
    let (next, done, error) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        while spec.budget.is_none_or(|budget| began.elapsed() < budget) {
            let Some(missing) = runs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let plan = Plan { missing: Some(missing.clone()), ..whole.clone() };
            match played(&plan) {
                Ok(played) => {
                    lineage.lock().unwrap_or_else(PoisonError::into_inner).add(missing, &ends, &played);
                }
                Err(failed) => {
                    error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failed);
                    return;
                }
            }
            told(done.fetch_add(1, Ordering::Relaxed) + 1, runs.len());
        }
    };
    room::side_by_side(spec.jobs.max(1), work);
    if let Some(error) = error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut lineage = lineage.into_inner().unwrap_or_else(PoisonError::into_inner);
    lineage.left_out = runs.len() - done.into_inner();
    lineage.broken.sort_by(|one, other| one.missing.cmp(&other.missing));
    lineage.verdict = lineage.judged();
    lineage.wall_s = began.elapsed().as_secs_f64();
    lineage.keep(spec)?;
    Ok(lineage)
}

fn played(plan: &Plan) -> anyhow::Result<(SimOutcome, History)> {
    let directory = room::directory().context("failed to make a directory")?;
    run_recorded(plan, directory.path())
}

impl Lineage {
    /// Nothing was tried yet.
    fn new(seed: u64, messages: &[Missing]) -> Self {
        Self {
            seed,
            wakes: messages.iter().map(|message| &message.wake).collect::<BTreeSet<_>>().len(),
            messages: messages.len(),
            left_out: 0,
            not_met: 0,
            lost_alone: BTreeMap::new(),
            lost_with_session: BTreeMap::new(),
            broken: Vec::new(),
            wall_s: 0.0,
            verdict: Verdict::Held,
        }
    }

    fn add(
        &mut self,
        missing: &Missing,
        before: &BTreeMap<&str, &str>,
        (outcome, history): &(SimOutcome, History),
    ) {
        if !history.events.iter().any(Missing::is_lost) {
            self.not_met += 1;
            return;
        }
        let of_way = if missing.ends_session { &mut self.lost_with_session } else { &mut self.lost_alone };
        let tried = of_way.entry(missing.event).or_default();
        tried.tried += 1;
        let wake = missing.wake.as_str();
        tried.ended_otherwise += u64::from(ends(history).get(wake) != before.get(wake));
        if outcome.verdict == Verdict::Held {
            tried.held += 1;
            return;
        }
        self.broken.push(Broken {
            missing: missing.clone(),
            verdict: outcome.verdict,
            why: outcome.why(),
            plan: outcome.plan.clone(),
        });
    }

    /// What is not green in one run is not in all.
    fn judged(&self) -> Verdict {
        let has = |verdict| self.broken.iter().any(|broken| broken.verdict == verdict);
        let bad = [Verdict::Violated, Verdict::NotRecovered].into_iter().find(|verdict| has(*verdict));
        let is_unclear = !self.broken.is_empty() || self.not_met > 0 || self.tried() == 0;
        bad.unwrap_or(if is_unclear { Verdict::Inconclusive } else { Verdict::Held })
    }

    pub(super) fn tried(&self) -> u64 {
        self.lost_alone.values().chain(self.lost_with_session.values()).map(|tried| tried.tried).sum()
    }

    /// The file of a plan that is kept.
    pub(super) fn file_of(place: usize) -> String {
        format!("without-{}.json", place + 1)
    }

    fn keep(&self, spec: &LineageSpec) -> anyhow::Result<()> {
        let Some(directory) = spec.keep.as_ref().filter(|_| !self.broken.is_empty()) else { return Ok(()) };
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
        for (place, broken) in self.broken.iter().enumerate() {
            let path = directory.join(Self::file_of(place));
            let text = serde_json::to_string_pretty(&broken.plan)? + "\n";
            std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short enough to be tried as a whole in a debug build.
    fn short() -> Plan {
        let plan = Plan::calm(3);
        let asks = plan.asks.iter().filter(|ask| ask.at_s < 600).cloned().collect();
        Plan { hosts: 1, instances: 6, played_s: 900, start_hour: 8, asks, ..plan }
    }

    #[test]
    fn every_message_is_met_once_in_the_run_without_it_and_nothing_breaks() {
        let spec = LineageSpec { plan: short(), jobs: 2, keep: None, budget: None };
        let told = Mutex::new(BTreeSet::new());
        let lineage = lineage(&spec, &|done, all| {
            told.lock().expect("no panic").insert((done, all));
        })
        .expect("played");
        assert_eq!(lineage.verdict, Verdict::Held, "{:?}", lineage.broken);
        assert_eq!((lineage.left_out, lineage.not_met), (0, 0));
        assert_eq!(lineage.tried() as usize, 2 * lineage.messages);
        assert!(told.into_inner().expect("no panic").contains(&(2 * lineage.messages, 2 * lineage.messages)));
        for event in
            [Function::CommandSend, Function::CommandAck, Function::SlotRelease, Function::StoreCommit]
        {
            assert!(lineage.lost_alone.contains_key(&event), "{event:?}: {:?}", lineage.lost_alone);
            assert!(lineage.lost_with_session.contains_key(&event), "{event:?}");
        }
    }

    #[test]
    fn a_run_that_holds_only_with_all_messages_is_kept_and_can_be_replayed() {
        let (outcome, history) = played(&short()).expect("played");
        let missing = supporting(&history).remove(0);
        let plan = Plan { missing: Some(missing.clone()), ..short() };
        let (mut without, told) = played(&plan).expect("played");
        without.verdict = Verdict::Violated;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut lineage = Lineage::new(3, std::slice::from_ref(&missing));
        // The whole run meets no such message: it would prove nothing.
        lineage.add(&missing, &ends(&history), &(outcome, history.clone()));
        assert_eq!((lineage.not_met, lineage.judged()), (1, Verdict::Inconclusive));
        lineage.add(&missing, &ends(&history), &(without, told));
        assert_eq!(lineage.judged(), Verdict::Violated);
        let keep = Some(directory.path().to_owned());
        lineage.keep(&LineageSpec { plan: short(), jobs: 1, keep, budget: None }).expect("written");
        let kept = Plan::read(&directory.path().join(Lineage::file_of(0))).expect("readable");
        assert_eq!(kept.missing, Some(missing));
    }
}
