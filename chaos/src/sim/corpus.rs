//! Plans that once did not hold, each in a directory of its own with what is known of it: all of them are played again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::time::Instant;

use super::{Plan, SimOutcome, room, run, sweep::Rule};
use crate::experiment::Verdict;

/// Of an entry.
const PLAN: &str = "plan.json";
/// Entries below it are meant not to hold: the code under test must be changed for them first.
const PLANTED: &str = "planted";

/// One entry.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its directory, as seen from that of the corpus.
    pub id: String,
    /// Its plan.
    pub path: PathBuf,
    pub verdict: Verdict,
    pub wall_s: f64,
    pub why: Vec<String>,
    /// Ids of the violated invariants, each with its first violation.
    pub violated: BTreeMap<&'static str, String>,
    /// The command that plays it again.
    pub replay: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Corpus {
    /// By id.
    pub entries: Vec<Entry>,
    pub verdict: Verdict,
    pub wall_s: f64,
    #[serde(skip)]
    pub rules: BTreeMap<&'static str, Rule>,
}

/// Plays every plan below `dir`, so many at a time. `told` hears how many are over, and of how many.
///
/// # Errors
/// When there is nothing to play.
pub fn corpus(dir: &Path, jobs: usize, told: &(dyn Fn(usize, usize) + Sync)) -> anyhow::Result<Corpus> {
    let began = Instant::now();
    let plans = plans(dir)?;
    anyhow::ensure!(!plans.is_empty(), "there is no plan below {}", dir.display());
    let (next, played) = (AtomicUsize::new(0), Mutex::new((Vec::new(), BTreeMap::new())));
    let work = || {
        while let Some(path) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            let outcome = play(path);
            let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(Played::Outcome(outcome)) = &outcome {
                played.1.extend(outcome.invariants.iter().map(|one| (one.id, Rule::of(one))));
            }
            played.0.push(entry(dir, path, began.elapsed().as_secs_f64(), &outcome));
            told(played.0.len(), plans.len());
        }
    };
    room::side_by_side(jobs, work);
    let (mut entries, rules) = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    let verdict = gravest(entries.iter().map(|entry| entry.verdict));
    Ok(Corpus { entries, verdict, wall_s: began.elapsed().as_secs_f64(), rules })
}

impl Corpus {
    pub fn failing(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.verdict != Verdict::Held)
    }
}

/// All plans, in order.
fn plans(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(dir).with_context(|| format!("failed to read {}", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to read {}", dir.display()))?;
        if entry.file_name() == PLANTED || !entry.path().is_dir() {
            continue;
        }
        let plan = entry.path().join(PLAN);
        if plan.is_file() {
            found.push(plan);
        } else {
            found.extend(plans(&entry.path())?);
        }
    }
    found.sort();
    Ok(found)
}

/// Boxed, as an outcome is large.
enum Played {
    Outcome(Box<SimOutcome>),
    NotAPlan(anyhow::Error),
}

fn play(path: &Path) -> anyhow::Result<Played> {
    let plan = match Plan::read(path) {
        Ok(plan) => plan,
        Err(error) => return Ok(Played::NotAPlan(error)),
    };
    let directory = room::directory().context("failed to make a directory")?;
    Ok(Played::Outcome(Box::new(run(&plan, directory.path())?)))
}

fn entry(dir: &Path, path: &Path, wall_s: f64, played: &anyhow::Result<Played>) -> Entry {
    let own = path.parent().unwrap_or(path);
    let id = own.strip_prefix(dir).unwrap_or(own).display().to_string();
    let (verdict, why, violated) = match played {
        Ok(Played::Outcome(outcome)) => (outcome.verdict, outcome.why(), outcome.violated()),
        Ok(Played::NotAPlan(error)) => (Verdict::InvalidFile, vec![format!("{error:#}")], BTreeMap::new()),
        Err(error) => (Verdict::Error, vec![format!("{error:#}")], BTreeMap::new()),
    };
    let replay = format!("reveille-chaos replay --plan {}", path.display());
    Entry { id, path: path.to_owned(), verdict, wall_s, why, violated, replay }
}

/// A violated invariant before everything else, and a plan that was not played before one that proved nothing.
fn gravest(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let gravity = |verdict: &Verdict| match verdict {
        Verdict::Held => 0,
        Verdict::Deviated => 1,
        Verdict::Inconclusive | Verdict::Aborted => 2,
        Verdict::NotRecovered => 3,
        Verdict::InvalidFile => 4,
        Verdict::Error => 5,
        Verdict::Violated => 6,
    };
    verdicts.max_by_key(gravity).unwrap_or(Verdict::Held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(dir: &Path, id: &str, text: &str) {
        std::fs::create_dir_all(dir.join(id)).expect("a directory");
        std::fs::write(dir.join(id).join(PLAN), text).expect("written");
    }

    #[test]
    fn plans_are_found_below_and_planted_ones_are_left_out() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for id in ["b", "a/deep", "planted/x"] {
            put(dir.path(), id, "{}");
        }
        let found = plans(dir.path()).expect("readable");
        assert_eq!(found, [dir.path().join("a/deep/plan.json"), dir.path().join("b/plan.json")]);
    }

    #[test]
    fn what_is_no_plan_is_told_and_the_others_are_played() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(corpus(dir.path(), 1, &|_, _| {}).is_err(), "nothing to play proves nothing");
        let calm = Plan { hosts: 1, played_s: 600, asks: Vec::new(), ..Plan::calm(3) };
        put(dir.path(), "calm", &serde_json::to_string(&calm).expect("serializable"));
        put(dir.path(), "torn", "{\"seed\": 3");
        let played = corpus(dir.path(), 2, &|_, _| {}).expect("played");
        let ids: Vec<&str> = played.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["calm", "torn"]);
        let torn = &played.entries[1];
        assert_eq!((torn.verdict, torn.why.len()), (Verdict::InvalidFile, 1));
        assert!(torn.replay.ends_with("torn/plan.json") && played.rules.contains_key("S1"));
        assert_ne!(played.entries[0].verdict, Verdict::InvalidFile);
        assert_eq!(played.verdict, Verdict::InvalidFile);
    }

    #[test]
    fn a_violation_is_graver_than_all_others() {
        let all = [Verdict::Held, Verdict::Error, Verdict::Violated, Verdict::Inconclusive];
        assert_eq!(gravest(all.into_iter()), Verdict::Violated);
        assert_eq!(gravest([Verdict::Inconclusive, Verdict::Held].into_iter()), Verdict::Inconclusive);
    }
}
