//! Many experiments and seeds, on all cores.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Conducted, Entry, Graded, Journal, LocalRun, RunSpec, conduct, journal::Ours, run_locally};
use crate::{
    experiment::{
        Verdict,
        file::{Experiment, RunMode},
    },
    local::LocalSpec,
    sim::{
        room,
        written::{Case, Cases},
    },
};

/// Where experiments are run.
#[derive(Debug, Clone)]
pub enum Mode {
    Simulated,
    /// One after the other: each has the machine to itself.
    Local(LocalRun),
}

#[derive(Debug, Clone)]
pub struct SeriesSpec {
    pub mode: Mode,
    pub experiments: Vec<Entry>,
    pub seeds: Range<u64>,
    pub jobs: usize,
    /// Journals are written to this directory, each with a page.
    pub journals: Option<PathBuf>,
    /// What each run wrote, its history and that of its control among it, is kept in this directory.
    pub keep: Option<PathBuf>,
    /// No run is begun after this real time; the first is in any case.
    pub budget: Option<Duration>,
    /// Once it is cancelled, no further run is begun.
    pub stop: CancellationToken,
}

/// One run, in short.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub id: String,
    pub seed: u64,
    pub verdict: Verdict,
    pub why: Vec<String>,
    pub predictions: Vec<Graded>,
    pub brier: Option<f64>,
    /// What the file wants to have been seen, and how often it was; nothing where that cannot be told.
    pub seen: BTreeMap<String, Option<u64>>,
    pub simulated_s: f64,
    pub wall_s: f64,
    /// The command that does it again.
    pub replay: String,
}

impl Run {
    pub fn of(journal: &Journal) -> Self {
        let ours = &journal.reveille;
        Self {
            id: ours.id.clone(),
            seed: ours.seed,
            verdict: ours.verdict,
            why: ours.why.clone(),
            predictions: ours.predictions.clone(),
            brier: ours.brier,
            seen: ours.coverage.clone(),
            simulated_s: ours.simulated_s,
            wall_s: journal.duration,
            replay: ours.replay.clone(),
        }
    }

    /// The verdict and everything that speaks against it.
    pub fn render(&self) -> String {
        let Self { id, seed, verdict, .. } = self;
        let mut text = format!("{id} with seed {seed}: {}\n", verdict.as_str());
        for why in &self.why {
            writeln!(text, "  {why}").expect("text can be written to");
        }
        text
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Series {
    pub runs: Vec<Run>,
    /// Runs that did not fit into the budget.
    pub left_out: u64,
    pub wall_s: f64,
    /// By verdict, how many.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Mean over the runs whose hypothesis is known to have held or not.
    pub brier: Option<f64>,
    /// Sights that a file names and no seed has shown, by experiment.
    pub never_seen: BTreeMap<String, Vec<String>>,
    pub verdict: Verdict,
}

/// Runs all. `told` hears how many are over.
///
/// # Errors
/// When a journal cannot be written; an experiment that cannot be run is a run that ended with an error.
pub fn series(spec: &SeriesSpec, told: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Series> {
    let began = Instant::now();
    // Every experiment once, then every one again: where time is short, few seeds of all say more than many of few.
    let experiments = || spec.experiments.iter().enumerate();
    let work: Vec<_> = spec
        .seeds
        .clone()
        .flat_map(|seed| experiments().map(move |(place, one)| (place, one, seed)))
        .collect();
    let is_time_up = |place: usize| place > 0 && spec.budget.is_some_and(|budget| began.elapsed() >= budget);
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (runs, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    let shown: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::default();
    let one = || {
        while let Some((place, entry, seed)) = {
            let next = next.fetch_add(1, Ordering::Relaxed);
            work.get(next).filter(|_| !is_time_up(next) && !spec.stop.is_cancelled())
        } {
            let (run, conducted) = match &spec.mode {
                Mode::Simulated => run_one(entry, *seed, spec.keep.as_deref()),
                // The keeper writes its journal itself.
                Mode::Local(local) => (run_one_locally(entry, *seed, local, spec.journals.as_deref()), None),
            };
            let seen = run.seen.iter().filter(|(_, times)| times.is_some_and(|n| n > 0));
            let seen: Vec<String> = seen.map(|(name, _)| name.clone()).collect();
            locked(&shown).entry(run.id.clone()).or_default().extend(seen);
            if let Some(conducted) = conducted
                && let Some(Err(error)) = spec.journals.as_ref().map(|dir| write(dir, &conducted))
            {
                locked(&failed).get_or_insert(error);
            }
            locked(&runs).push((*place, run));
            told(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    match spec.mode {
        Mode::Simulated => room::side_by_side(spec.jobs, one),
        Mode::Local(_) => one(),
    }
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|(place, run)| (*place, run.seed));
    let left_out = (work.len() - runs.len()) as u64;
    let shown = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    let series = Series::of(runs.into_iter().map(|(_, run)| run).collect(), spec, &shown);
    let verdict = match series.verdict {
        // What was not run may not have held.
        Verdict::Held | Verdict::Inconclusive if spec.stop.is_cancelled() && left_out > 0 => Verdict::Aborted,
        verdict => verdict,
    };
    Ok(Series { left_out, verdict, wall_s: began.elapsed().as_secs_f64(), ..series })
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(entry: &Entry, seed: u64, keep: Option<&Path>) -> (Run, Option<Conducted>) {
    let Entry { experiment, on, .. } = entry;
    let ours = experiment.reveille();
    let spec = RunSpec { seed, on: on.clone(), replay: entry.replay(seed, "") };
    let replay = spec.replay.clone();
    let conducted = match keep {
        Some(keep) => {
            let dir = keep.join(format!("{}-{seed}", ours.id));
            conduct(experiment, &dir, spec)
        }
        None => room::directory()
            .context("failed to make a directory")
            .and_then(|dir| conduct(experiment, dir.path(), spec)),
    };
    match conducted {
        Ok(conducted) => (Run::of(&conducted.journal), Some(conducted)),
        Err(error) => (failed(experiment, seed, &error, replay), None),
    }
}

/// A run that could not be carried out.
fn failed(experiment: &Experiment, seed: u64, error: &anyhow::Error, replay: String) -> Run {
    Run {
        id: experiment.reveille().id.clone(),
        seed,
        verdict: Verdict::Error,
        why: vec![format!("{error:#}")],
        predictions: Vec::new(),
        brier: None,
        seen: BTreeMap::new(),
        simulated_s: 0.0,
        wall_s: 0.0,
        replay,
    }
}

fn run_one_locally(entry: &Entry, seed: u64, local: &LocalRun, journals: Option<&Path>) -> Run {
    let ran = run_locally(entry, seed, local, journals);
    let replay = || local_replay(entry, seed, &local.spec());
    ran.unwrap_or_else(|error| failed(&entry.experiment, seed, &error, replay()))
}

/// The command that does a local run again.
pub fn local_replay(entry: &Entry, seed: u64, local: &LocalSpec) -> String {
    let (mode, speed) = (local.mode().name(), local.speed);
    entry.replay(seed, &format!(" --mode {mode} --speed {speed}"))
}

/// Writes a journal to `dir`, under its experiment, rung and seed.
///
/// # Errors
/// When it cannot be written.
pub fn write(dir: &Path, conducted: &Conducted) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    let journal = &conducted.journal;
    let Ours { id, seed, rung, .. } = &journal.reveille;
    let name = if *rung == 0 { format!("{id}-{seed}") } else { format!("{id}-rung{rung}-{seed}") };
    let path = dir.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(journal)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    let path = path.with_extension("html");
    std::fs::write(&path, conducted.page()).with_context(|| format!("failed to write {}", path.display()))
}

impl Series {
    fn of(runs: Vec<Run>, spec: &SeriesSpec, shown: &BTreeMap<String, BTreeSet<String>>) -> Self {
        let mut verdicts = BTreeMap::new();
        for run in &runs {
            *verdicts.entry(run.verdict.as_str()).or_default() += 1;
        }
        let briers: Vec<f64> = runs.iter().filter_map(|run| run.brier).collect();
        let brier = (!briers.is_empty()).then(|| briers.iter().sum::<f64>() / briers.len() as f64);
        let mut never_seen = BTreeMap::new();
        for entry in &spec.experiments {
            let ours = entry.experiment.reveille();
            // What was not come to is left out, and counted as such.
            if !runs.iter().any(|run| run.id == ours.id) {
                continue;
            }
            let is_unseen = |name: &&String| !shown.get(&ours.id).is_some_and(|seen| seen.contains(*name));
            let unseen: Vec<String> = ours.coverage.sometimes.iter().filter(is_unseen).cloned().collect();
            if !unseen.is_empty() {
                never_seen.insert(ours.id.clone(), unseen);
            }
        }
        let worst = gravest(runs.iter().map(|run| run.verdict));
        let verdict = match worst.unwrap_or(Verdict::Inconclusive) {
            // What the file wants to have been seen was not: nothing is proved.
            Verdict::Held | Verdict::Deviated if !never_seen.is_empty() => Verdict::Inconclusive,
            worst => worst,
        };
        Self { runs, left_out: 0, wall_s: 0.0, verdicts, brier, never_seen, verdict }
    }

    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["experiment", "seed", "verdict", "s", "why"]);
        for run in &self.runs {
            let why = run.why.first().cloned().unwrap_or_default();
            let wall = format!("{:.1}", run.wall_s);
            table.add_row([run.id.clone(), run.seed.to_string(), run.verdict.as_str().to_owned(), wall, why]);
        }
        let mut text = format!("{table}\n\n");
        for (id, names) in &self.never_seen {
            writeln!(text, "{id}: never seen: {}", names.join(", ")).expect("text can be written to");
        }
        let counts = self.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        writeln!(text, "{counts}").expect("text can be written to");
        if self.left_out > 0 {
            writeln!(text, "{} runs did not fit into the time", self.left_out)
                .expect("text can be written to");
        }
        if let Some(brier) = self.brier {
            writeln!(text, "Brier score of the predictions: {brier:.3} (0 is best, 0.25 is a coin's)")
                .expect("text can be written to");
        }
        writeln!(text, "verdict: {}", self.verdict.as_str()).expect("text can be written to");
        text
    }
}

impl From<&Series> for Cases {
    fn from(series: &Series) -> Self {
        let case = |run: &Run| Case {
            name: format!("{} seed {}", run.id, run.seed),
            verdict: run.verdict,
            wall_s: run.wall_s,
            why: run.why.clone(),
            violated: BTreeMap::new(),
            replay: run.replay.clone(),
            plan: None,
        };
        let mut cases: Vec<Case> = series.runs.iter().map(case).collect();
        cases.extend(series.never_seen.iter().map(|(id, names)| Case {
            name: format!("{id} saw what it wants to have seen"),
            verdict: Verdict::Inconclusive,
            wall_s: 0.0,
            why: vec![format!("never seen: {}", names.join(", "))],
            violated: BTreeMap::new(),
            replay: format!("reveille-chaos run {id}"),
            plan: None,
        }));
        let suite = "reveille-chaos run";
        Self { suite, wall_s: series.wall_s, cases, rules: BTreeMap::new() }
    }
}

/// The one that counts for all; none of none.
pub fn gravest(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.max_by_key(|verdict| gravity(*verdict))
}

/// The graver, the higher.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Held => 0,
        Verdict::Deviated => 1,
        Verdict::Inconclusive => 2,
        Verdict::NotRecovered => 3,
        Verdict::Aborted => 4,
        Verdict::Error | Verdict::InvalidFile => 5,
        Verdict::Violated => 6,
    }
}

/// Whether it can be run in this mode, or in words why not.
pub fn runs_in(mode: RunMode, experiment: &Experiment) -> Result<(), String> {
    let ours = experiment.reveille();
    if !ours.modes.contains(&mode) {
        return Err(format!("`{}` is not in its `modes`", mode.name()));
    }
    if mode == RunMode::Live {
        return Err(format!("nothing runs in mode {} yet", mode.name()));
    }
    super::world::of(experiment, 0)?;
    for fault in &ours.faults {
        let what = fault.what().map_err(|error| error.to_string())?;
        let planned =
            crate::sim::Planned { at_s: 0, for_s: 1, hosts: Vec::new(), instances: Vec::new(), what };
        let is_playable =
            if mode == RunMode::Sim { planned.is_playable() } else { planned.is_playable_by(mode) };
        if !is_playable {
            return Err(format!("{} cannot be played in mode {} yet", planned.kind(), mode.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::template;

    #[test]
    fn sights_are_missed_of_what_was_run_only() {
        let experiments: Vec<Entry> = ["AG-01", "CT-01"]
            .into_iter()
            .map(|id| {
                let template = template::find(id).expect("in the library");
                Entry::first(id.to_owned(), template.read().expect("valid"))
            })
            .collect();
        let spec = SeriesSpec {
            mode: Mode::Simulated,
            experiments,
            seeds: 1..2,
            jobs: 1,
            journals: None,
            keep: None,
            budget: None,
            stop: CancellationToken::new(),
        };
        let run = Run {
            id: "AG-01".to_owned(),
            seed: 1,
            verdict: Verdict::Held,
            why: Vec::new(),
            predictions: Vec::new(),
            brier: None,
            seen: BTreeMap::new(),
            simulated_s: 0.0,
            wall_s: 0.0,
            replay: String::new(),
        };
        let all = spec.experiments[0].experiment.reveille().coverage.sometimes.iter().cloned().collect();
        let series = Series::of(vec![run.clone()], &spec, &BTreeMap::from([("AG-01".to_owned(), all)]));
        assert_eq!((series.never_seen.len(), series.verdict), (0, Verdict::Held), "CT-01 was not come to");
        let series = Series::of(vec![run], &spec, &BTreeMap::new());
        assert_eq!(series.never_seen.keys().collect::<Vec<_>>(), ["AG-01"]);
        assert_eq!(series.verdict, Verdict::Inconclusive);
    }
}
