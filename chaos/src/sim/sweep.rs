//! Many seeds, on all cores; some twice, to see that a seed is a history.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    panic::Location,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Plan, SimOutcome, room, run};
use crate::{experiment::Verdict, history::History, oracle::Checked};

/// One seed of so many is played twice.
const TWICE_EVERY: u64 = 20;
/// A seed that is played for so long may never end: nobody should have to guess which it is.
const LONG: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct SweepSpec {
    pub seeds: Range<u64>,
    /// With random faults; a calm morning otherwise.
    pub swarm: bool,
    pub jobs: usize,
    /// Histories of seeds that did not hold are kept in this directory.
    pub keep: Option<PathBuf>,
    /// Seeds that would not be over by then are left out; one is played however long it takes.
    pub budget: Option<Duration>,
    /// Once it is cancelled, no further seed is begun.
    pub stop: CancellationToken,
}

/// Seeds that were played twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Determinism {
    pub checked: u64,
    pub diverged: u64,
    /// Those that did not give the same history.
    pub seeds: Vec<u64>,
}

/// A seed that did not hold, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Failing {
    pub seed: u64,
    pub verdict: Verdict,
    pub why: Vec<String>,
    /// Ids of the violated invariants, each with its first violation.
    pub violated: BTreeMap<&'static str, String>,
    /// The command that plays it again.
    pub replay: String,
    pub plan: Plan,
}

/// One seed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Played {
    pub seed: u64,
    pub verdict: Verdict,
    pub wall_s: f64,
}

/// An invariant: what it says, and where its judge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub statement: &'static str,
    pub judge: &'static Location<'static>,
}

impl Rule {
    pub fn of(checked: &Checked) -> Self {
        Self { statement: checked.statement, judge: checked.judge }
    }
}

/// How often a kind of fault was planned, and in how many runs it bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Proven {
    pub planned: u64,
    pub bit: u64,
    pub hits: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    /// Seeds that were played.
    pub seeds: u64,
    /// Seeds of the range that did not fit into the budget.
    pub left_out: u64,
    pub held: u64,
    pub deviated: u64,
    pub violated: u64,
    pub not_recovered: u64,
    pub inconclusive: u64,
    pub error: u64,
    pub simulated_hours: f64,
    pub wall_s: f64,
    pub determinism: Determinism,
    /// In how many runs each was reached.
    pub coverage: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<&'static str, Proven>,
    /// Cases judged and violations, by invariant.
    pub invariants: BTreeMap<&'static str, (u64, u64)>,
    /// What each of them says, and where its judge is.
    #[serde(skip)]
    pub rules: BTreeMap<&'static str, Rule>,
    pub failing: Vec<Failing>,
    #[serde(skip)]
    pub played: Vec<Played>,
    pub verdict: Verdict,
}

/// Plays every seed. `told` hears how many are over.
pub fn sweep(spec: &SweepSpec, told: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Sweep> {
    let began = Instant::now();
    let (next, done) = (AtomicU64::new(spec.seeds.start), AtomicU64::new(0));
    let sweep = Mutex::new(Sweep::new(spec));
    let jobs = spec.jobs.max(1);
    let is_time_up = |seed: u64| {
        let Some(budget) = spec.budget.filter(|_| seed > spec.seeds.start) else { return false };
        let (spent, done) = (began.elapsed(), done.load(Ordering::Relaxed));
        // What one has taken, another will.
        let one = spent.as_secs_f64() * jobs as f64 / done.max(1) as f64;
        done > 0 && spent.as_secs_f64() + one > budget.as_secs_f64() || spent >= budget
    };
    let under_way = UnderWay::default();
    let work = || {
        loop {
            if spec.stop.is_cancelled() || is_time_up(next.load(Ordering::Relaxed)) {
                return;
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= spec.seeds.end {
                return;
            }
            watched(&under_way).insert(seed, Instant::now());
            let played = play(spec, seed);
            watched(&under_way).remove(&seed);
            sweep.lock().unwrap_or_else(PoisonError::into_inner).add(seed, spec, played);
            told(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let (going_on, is_over) = mpsc::channel();
    thread::scope(|scope| {
        let seeds = &under_way;
        scope.spawn(move || tell_of_long_ones(seeds, &is_over));
        room::side_by_side(jobs, work);
        drop(going_on);
    });
    let mut sweep = sweep.into_inner().unwrap_or_else(PoisonError::into_inner);
    sweep.seeds = sweep.played.len() as u64;
    sweep.left_out = spec.seeds.end.saturating_sub(spec.seeds.start).saturating_sub(sweep.seeds);
    sweep.wall_s = began.elapsed().as_secs_f64();
    sweep.failing.sort_by_key(|failing| failing.seed);
    sweep.played.sort_by_key(|played| played.seed);
    sweep.determinism.seeds.sort_unstable();
    sweep.verdict = match sweep.judged() {
        // What was not played may not have held.
        Verdict::Held if spec.stop.is_cancelled() && sweep.left_out > 0 => Verdict::Aborted,
        verdict => verdict,
    };
    Ok(sweep)
}

/// Seeds that are played now, and since when.
type UnderWay = Mutex<BTreeMap<u64, Instant>>;

fn watched(under_way: &UnderWay) -> std::sync::MutexGuard<'_, BTreeMap<u64, Instant>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the other end of `is_over` is dropped.
fn tell_of_long_ones(under_way: &UnderWay, is_over: &mpsc::Receiver<()>) {
    let mut told = BTreeSet::new();
    while is_over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        let long: Vec<u64> = {
            let under_way = watched(under_way);
            under_way.iter().filter(|(_, since)| since.elapsed() >= LONG).map(|(seed, _)| *seed).collect()
        };
        for seed in long {
            if told.insert(seed) {
                anstream::eprintln!(
                    "seed {seed} is played for {} s by now, and may never end",
                    LONG.as_secs()
                );
            }
        }
    }
}

/// The command that plays a seed again.
fn replay(seed: u64, spec: &SweepSpec) -> String {
    format!("reveille-chaos replay --seed {seed}{}", if spec.swarm { "" } else { " --calm" })
}

/// The plan of a seed.
pub fn plan(seed: u64, swarm: bool) -> Plan {
    if swarm { Plan::swarm(seed) } else { Plan::calm(seed) }
}

/// The outcome, and the fingerprint of a second run where there was one.
fn play(spec: &SweepSpec, seed: u64) -> anyhow::Result<(SimOutcome, Option<String>)> {
    let plan = plan(seed, spec.swarm);
    let directory = room::directory().context("failed to make a directory")?;
    let outcome = run(&plan, directory.path())?;
    if let Some(keep) = spec.keep.as_ref().filter(|_| outcome.verdict != Verdict::Held) {
        let to = keep.join(format!("{seed}"));
        std::fs::create_dir_all(&to).with_context(|| format!("failed to make {}", to.display()))?;
        std::fs::copy(directory.path().join("history.jsonl"), to.join("history.jsonl"))
            .context("failed to keep a history")?;
        std::fs::write(to.join("plan.json"), serde_json::to_string_pretty(&plan)?)?;
        let history = History::read(&to.join("history.jsonl"))?;
        let page = outcome.page(&history, &replay(seed, spec));
        std::fs::write(to.join("index.html"), page)?;
    }
    let again = if seed.is_multiple_of(TWICE_EVERY) {
        let directory = room::directory().context("failed to make a directory")?;
        Some(run(&plan, directory.path())?.history_sha256)
    } else {
        None
    };
    Ok((outcome, again))
}

impl Sweep {
    pub(super) fn new(spec: &SweepSpec) -> Self {
        Self {
            seeds: spec.seeds.end.saturating_sub(spec.seeds.start),
            left_out: 0,
            held: 0,
            deviated: 0,
            violated: 0,
            not_recovered: 0,
            inconclusive: 0,
            error: 0,
            simulated_hours: 0.0,
            wall_s: 0.0,
            determinism: Determinism::default(),
            coverage: BTreeMap::new(),
            faults: BTreeMap::new(),
            invariants: BTreeMap::new(),
            rules: BTreeMap::new(),
            failing: Vec::new(),
            played: Vec::new(),
            verdict: Verdict::Error,
        }
    }

    fn add(&mut self, seed: u64, spec: &SweepSpec, played: anyhow::Result<(SimOutcome, Option<String>)>) {
        let (outcome, again) = match played {
            Ok(played) => played,
            Err(error) => {
                self.error += 1;
                self.played.push(Played { seed, verdict: Verdict::Error, wall_s: 0.0 });
                let (verdict, why) = (Verdict::Error, vec![format!("{error:#}")]);
                let (replay, plan) = (replay(seed, spec), plan(seed, spec.swarm));
                let violated = BTreeMap::new();
                return self.failing.push(Failing { seed, verdict, why, violated, replay, plan });
            }
        };
        self.played.push(Played { seed, verdict: outcome.verdict, wall_s: outcome.wall_s });
        self.simulated_hours += outcome.simulated_s / 3600.0;
        for (name, times) in &outcome.coverage {
            *self.coverage.entry(name).or_default() += u64::from(*times > 0);
        }
        for proof in &outcome.faults {
            let proven = self.faults.entry(proof.kind).or_default();
            proven.planned += 1;
            proven.bit += u64::from(proof.hits > 0);
            proven.hits += proof.hits;
        }
        for one in &outcome.invariants {
            let (checked, violations) = self.invariants.entry(one.id).or_default();
            *checked += one.checked;
            *violations += one.violations.len() as u64;
            self.rules.insert(one.id, Rule::of(one));
        }
        if let Some(again) = again {
            self.determinism.checked += 1;
            if again != outcome.history_sha256 {
                self.determinism.diverged += 1;
                self.determinism.seeds.push(seed);
            }
        }
        *match outcome.verdict {
            Verdict::Held => &mut self.held,
            Verdict::Deviated => &mut self.deviated,
            Verdict::Violated => &mut self.violated,
            Verdict::NotRecovered => &mut self.not_recovered,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Aborted | Verdict::Error | Verdict::InvalidFile => &mut self.error,
        } += 1;
        if outcome.verdict != Verdict::Held {
            let (why, violated) = (outcome.why(), outcome.violated());
            let (replay, plan) = (replay(seed, spec), outcome.plan.clone());
            self.failing.push(Failing { seed, verdict: outcome.verdict, why, violated, replay, plan });
        }
    }

    /// The gravest of all. A harness that is not deterministic has proven nothing, and neither has one that never got
    /// somewhere.
    fn judged(&self) -> Verdict {
        if self.violated > 0 {
            Verdict::Violated
        } else if self.error > 0 {
            Verdict::Error
        } else if self.not_recovered > 0 {
            Verdict::NotRecovered
        } else if self.determinism.diverged > 0 || self.inconclusive > 0 {
            Verdict::Inconclusive
        } else if self.deviated > 0 {
            Verdict::Deviated
        } else {
            Verdict::Held
        }
    }

    pub fn seeds_per_minute(&self) -> f64 {
        60.0 * self.seeds as f64 / self.wall_s.max(1e-9)
    }

    pub fn simulated_hours_per_s(&self) -> f64 {
        self.simulated_hours / self.wall_s.max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_seeds_as_fit_are_played_and_one_in_any_case() {
        let budget = Some(Duration::from_millis(1));
        let spec = SweepSpec {
            seeds: 3..9,
            swarm: false,
            jobs: 1,
            keep: None,
            budget,
            stop: CancellationToken::new(),
        };
        let swept = sweep(&spec, &|_| {}).expect("played");
        assert_eq!((swept.seeds, swept.left_out, swept.played.len()), (1, 5, 1));
        assert_eq!(swept.held + swept.failing.len() as u64, 1);
        assert!(
            swept.render().contains("1 seeds of 6 (as many as fitted into the time)"),
            "{}",
            swept.render()
        );
        assert!(swept.rules["S2"].judge.file().ends_with("s2_fail_closed.rs"));
    }
}
