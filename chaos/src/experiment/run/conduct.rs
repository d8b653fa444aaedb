//! From a file and a seed to a journal: steady state, method, steady state, rollbacks, and what all of it comes to.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;
use reveille_proto::clock::Clock;
use tokio::time::Instant;

use super::{
    Graded, Harness, Journal, Spans, brier, grade, guard,
    journal::{Ours, SteadyState},
    sight,
    steps::{self, Steps},
    tolerance::{bounds, rounded},
};
use crate::{
    experiment::{
        Judgement, Verdict,
        file::{Experiment, RunMode},
        plan::{self, Unlocked},
    },
    history::History,
    oracle::{self, Checked},
    sim::{self, outcome::fingerprint, play::Curtain, room, stage::Means},
};

/// Invariants that must have had something to judge.
pub(super) const REQUIRED: [&str; 3] = ["S2", "S3", "S4"];

/// Which run of an experiment it is.
#[derive(Debug, Clone)]
pub struct RunSpec {
    pub seed: u64,
    /// The rung of the ladder it stands on.
    pub on: Unlocked,
    /// The command that does it again.
    pub replay: String,
}

/// A run and its history.
#[derive(Debug)]
pub struct Conducted {
    pub journal: Journal,
    pub history: History,
}

/// Runs `experiment` once in a simulation, with everything it writes in `dir`, which must be empty.
///
/// # Errors
/// When the experiment has no simulation, its targets cannot be resolved, or the installation cannot be set up.
pub fn conduct(experiment: &Experiment, dir: &Path, spec: RunSpec) -> anyhow::Result<Conducted> {
    conduct_by(experiment, dir, spec, async |harness| steps::carry_out(experiment, harness).await)
}

/// The same, with steps that `direct` gives.
pub(super) fn conduct_by(
    experiment: &Experiment,
    dir: &Path,
    spec: RunSpec,
    direct: impl AsyncFnOnce(&mut Harness) -> anyhow::Result<Steps>,
) -> anyhow::Result<Conducted> {
    let seed = spec.seed;
    let run = Begun::new(experiment, dir, RunMode::Sim, spec)?;
    let played = room::within(seed, |waits| async {
        let means = Means::Simulated(waits);
        let mut harness = Harness::set(experiment, &run.frozen, &run.run_dir, &means).await?;
        let steps = direct(&mut harness).await?;
        Box::pin(Played::over(harness, steps)).await
    });
    let played = played.context("failed to make a runtime")??;
    let control = run.needs_control().then(|| sim::recorded(&played.control, &run.control_dir));
    let control = control.transpose().context("the control run failed")?;
    run.judged(&played, control.as_ref())
}

/// A run that has begun: whom it hits, and where it writes.
pub(super) struct Begun<'a> {
    experiment: &'a Experiment,
    pub(super) frozen: plan::Plan,
    pub(super) run_dir: PathBuf,
    pub(super) control_dir: PathBuf,
    mode: RunMode,
    began: Instant,
    start: Timestamp,
    replay: String,
}

/// A run whose installation has been taken down.
pub(super) struct Played {
    steps: Steps,
    proofs: BTreeMap<String, u64>,
    /// The same without a fault.
    pub(super) control: sim::Plan,
    curtain: Curtain,
    spans: Spans,
}

impl Played {
    /// Ends everything and takes the installation down.
    ///
    /// # Errors
    /// When the installation cannot be played on.
    pub(super) async fn over(harness: Harness, steps: Steps) -> anyhow::Result<Self> {
        let (proofs, control) = (harness.proofs(), harness.control_plan());
        let (curtain, spans) = Box::pin(harness.over()).await?;
        Ok(Self { steps, proofs, control, curtain, spans })
    }
}

impl<'a> Begun<'a> {
    /// # Errors
    /// When the experiment has no such mode, its targets cannot be resolved, or its directories cannot be made.
    pub(super) fn new(
        experiment: &'a Experiment,
        dir: &Path,
        mode: RunMode,
        spec: RunSpec,
    ) -> anyhow::Result<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let ours = experiment.reveille();
        anyhow::ensure!(ours.modes.contains(&mode), "{} cannot be run in mode {}", ours.id, mode.name());
        let RunSpec { seed, on, replay } = spec;
        let frozen = plan::freeze_on(experiment, seed, on)?;
        let (began, start) = (Instant::now(), Clock::system().now());
        let (run_dir, control_dir) = (dir.join("run"), dir.join("control"));
        for dir in [&run_dir, &control_dir] {
            std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
        }
        Ok(Self { experiment, frozen, run_dir, control_dir, mode, began, start, replay })
    }

    pub(super) fn needs_control(&self) -> bool {
        self.experiment.reveille().control.kind != crate::experiment::file::ControlKind::None
    }

    /// What the history comes to.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(super) fn judged(self, played: &Played, control: Option<&History>) -> anyhow::Result<Conducted> {
        let (experiment, ours) = (self.experiment, self.experiment.reveille());
        let Played { steps, proofs, curtain, spans, .. } = played;
        let path = self.run_dir.join("history.jsonl");
        let bytes = std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let history = History::read(&path)?;
        let events = &history.events;
        let control = control.map(|history| history.events.as_slice());
        let judged = Judged {
            experiment,
            steps,
            spans,
            invariants: oracle::check_experiment(&history),
            unproven: unproven(experiment, proofs),
            guard: guard::tripped(experiment, events, spans),
            predictions: grade::grade(experiment, events, control, spans),
            coverage: sight::seen(&ours.coverage.sometimes, events),
        };
        let (verdict, why) = judged.verdict(curtain);
        let hypothesis = judged.hypothesis();
        let simulated_s = events.last().map_or(0.0, crate::history::Event::t_s);
        let journal = Journal {
            chaoslib_version: "reveille",
            platform: std::env::consts::OS.to_owned(),
            node: node_name(self.mode),
            experiment: experiment.clone(),
            start: self.start,
            status: steps.status(judged.guard.is_some()),
            deviated: steps.is_deviated(),
            steady_states: steps.steady_states.clone(),
            run: steps.run.clone(),
            rollbacks: steps.rollbacks.clone(),
            end: Clock::system().now(),
            duration: self.began.elapsed().as_secs_f64(),
            reveille: Ours {
                id: ours.id.clone(),
                mode: self.mode.name(),
                seed: self.frozen.seed,
                rung: self.frozen.unlocked.rung,
                verdict,
                why,
                plan_sha256: self.frozen.plan_sha256.clone(),
                history_sha256: fingerprint(&bytes),
                spans: *spans,
                confidence: ours.hypothesis.confidence,
                brier: hypothesis.map(|came_true| brier(ours.hypothesis.confidence, came_true)),
                not_judged: judged.not_judged(),
                invariants: judged.invariants,
                faults: curtain.proofs.clone(),
                guard: judged.guard,
                coverage: judged.coverage,
                predictions: judged.predictions,
                simulated_s,
                replay: self.replay,
            },
        };
        Ok(Conducted { journal, history })
    }
}

/// Where the installation was.
fn node_name(mode: RunMode) -> String {
    let name = match mode {
        RunMode::Sim => "simulation",
        RunMode::Local => "loopback",
        RunMode::Container | RunMode::Live => "containers",
    };
    name.to_owned()
}

/// In words, each fault that was not met as often as its proof asks.
fn unproven(experiment: &Experiment, hits: &BTreeMap<String, u64>) -> Vec<String> {
    let faults = experiment.reveille().faults.iter();
    let told = faults.filter_map(|fault| {
        let hits = hits.get(&fault.id).copied().unwrap_or_default();
        (!fault.proof.proven(hits)).then(|| format!("the fault `{}` was met {hits} times", fault.id))
    });
    told.collect()
}

/// All that a verdict is made of.
struct Judged<'a> {
    experiment: &'a Experiment,
    steps: &'a Steps,
    spans: &'a Spans,
    invariants: Vec<Checked>,
    unproven: Vec<String>,
    guard: Option<super::Tripped>,
    predictions: Vec<Graded>,
    coverage: BTreeMap<String, Option<u64>>,
}

impl Judged<'_> {
    /// Whether the hypothesis came true; `None` where that is not known.
    fn hypothesis(&self) -> Option<bool> {
        if self.predictions.iter().any(|one| one.held == Some(false)) {
            return Some(false);
        }
        self.predictions.iter().all(|one| one.held == Some(true)).then_some(true)
    }

    fn not_judged(&self) -> Vec<String> {
        let attacked = self.experiment.reveille().invariants.iter();
        let is_judged = |id: &&String| self.invariants.iter().any(|one| one.id == id.as_str());
        // L5 is the steady state after the method.
        attacked.filter(|id| !is_judged(id) && id.as_str() != "L5").cloned().collect()
    }

    fn verdict(&self, curtain: &Curtain) -> (Verdict, Vec<String>) {
        let mut why = Vec::new();
        let before = self.steps.steady_states.before.as_ref();
        let mut unknown = Vec::new();
        if !Steps::is_met(before) {
            let (name, said) = unmet(before);
            unknown.push(format!("the steady state was not met before the method: {name} is {said}"));
        }
        if let Some(step) = &self.steps.left_at {
            unknown.push(format!("the client went away before the step `{step}`"));
        }
        unknown.extend(self.unproven.iter().cloned());
        let named = |names: &[String], what: &str| {
            names.iter().map(|name| format!("{what} `{name}`")).collect::<Vec<_>>()
        };
        unknown.extend(named(&self.steps.unknown, "nothing is known of the steady state's"));
        let predicted = self.predictions.iter().filter(|one| one.held.is_none());
        unknown.extend(predicted.map(|one| format!("nothing is known of the predicted {}", one.metric)));
        let mut deviations: Vec<String> = self
            .predictions
            .iter()
            .filter(|one| one.held == Some(false))
            .map(|one| {
                let (expected, measured) =
                    (one.expected.unwrap_or(f64::NAN), one.measured.unwrap_or(f64::NAN));
                format!("{} was {measured:.3}, predicted {} {expected:.3}", one.metric, one.op)
            })
            .collect();
        if self.steps.is_deviated() && self.steps.unknown.is_empty() {
            deviations.push(self.steady_state_after());
        }
        let violated = self.invariants.iter().filter_map(|one| {
            let first = one.violations.first()?;
            Some(format!("{} at event {}: {}", one.id, first.i, first.text))
        });
        why.extend(violated);
        if let Some(guard) = &self.guard {
            why.push(format!("the guard `{}` stops it after {:.0} s: {}", guard.id, guard.at_s, guard.expr));
        }
        why.extend(unknown.iter().cloned());
        why.extend(curtain.not_recovered.iter().cloned());
        why.extend(deviations.iter().cloned());
        let judgement = Judgement {
            checked: &self.invariants,
            required: &REQUIRED,
            deviations: &deviations,
            not_recovered: &curtain.not_recovered,
            aborted: self.guard.is_some(),
            ..Judgement::default()
        };
        let verdict = match judgement.verdict() {
            Verdict::Held | Verdict::Deviated | Verdict::NotRecovered if !unknown.is_empty() => {
                Verdict::Inconclusive
            }
            verdict => verdict,
        };
        (verdict, why)
    }

    fn steady_state_after(&self) -> String {
        let (name, said) = unmet(self.steps.steady_states.after.as_ref());
        let after_s = self.spans.recovered_s - self.spans.fault_to_s;
        format!("the steady state is not met {after_s:.0} s after the last fault: {name} is {said}")
    }
}

/// The probe that was not met, and what it said.
fn unmet(state: Option<&SteadyState>) -> (&str, String) {
    let failed = state.and_then(|state| state.probes.iter().find(|step| step.tolerance_met != Some(true)));
    failed.map_or(("a probe", "unknown".to_owned()), |step| {
        let body = &step.output["body"];
        let said = body.as_str().map_or_else(|| body.to_string(), rounded);
        let asked = step.activity.tolerance.as_ref().map(bounds);
        (
            step.activity.name.as_str(),
            asked.map_or_else(|| said.clone(), |asked| format!("{said}, not {asked}")),
        )
    })
}
