//! The corpus: for each defect the smallest plan that shows it, as a file of its name.

use std::path::Path;

use anyhow::Context as _;
use reveille_proto::planted;
use serde::{Deserialize, Serialize};

use super::Defect;
use crate::sim::{self, Plan, SimOutcome, room};

/// How a defect was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub defect: String,
    /// What it violates with the plan.
    pub invariant: String,
    /// What the judge said, of the plan.
    pub text: String,
    /// Of which the plan was drawn, before it was made smaller.
    pub seed: u64,
    /// How many seeds were played.
    pub seeds: u64,
    /// Which faults the plan was drawn from; none where that was all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    pub plan: Plan,
}

impl Kept {
    /// Reads one.
    ///
    /// # Errors
    /// When it is not there, or not one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
        let kept: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is not one", path.display()))?;
        kept.plan
            .check()
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("{} cannot be played", path.display()))?;
        Ok(kept)
    }

    /// Of a defect, where it is kept in `directory`.
    pub fn of(defect: &Defect, directory: &Path) -> Option<Self> {
        Self::read(&directory.join(format!("{}.json", defect.id))).ok()
    }

    /// Writes it to `directory`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
        let path = directory.join(format!("{}.json", self.defect));
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }
}

/// Plays a plan, with a defect where one is given.
///
/// # Errors
/// When the installation cannot be set up or taken down.
pub fn play(plan: &Plan, defect: Option<&Defect>) -> anyhow::Result<SimOutcome> {
    let directory = room::directory().context("failed to make a directory")?;
    play_in(directory.path(), plan, defect)
}

/// The same, with everything it writes in `directory`, which must be empty.
///
/// # Errors
/// As for [`play`].
pub fn play_in(directory: &Path, plan: &Plan, defect: Option<&Defect>) -> anyhow::Result<SimOutcome> {
    let _planted = defect.map(|defect| planted::plant(defect.id));
    sim::run(plan, directory)
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;
    use crate::{experiment::Verdict, planted::DEFECTS};

    fn corpus() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/planted")
    }

    fn is_shown(defect: &Defect) -> Result<(), String> {
        let kept = Kept::of(defect, &corpus()).ok_or("it is not in the corpus")?;
        let played = |defect| play(&kept.plan, defect).map_err(|error| format!("{error:#}"));
        let with = played(Some(defect))?;
        if !with.violations().any(|(id, _)| id == kept.invariant) {
            return Err(format!("{} holds", kept.invariant));
        }
        let without = played(None)?;
        if without.verdict == Verdict::Held {
            return Ok(());
        }
        Err(format!("the plan does not hold without it:\n{}", without.render()))
    }

    #[test]
    fn every_planted_defect_is_found_by_its_plan_and_the_plan_holds_without_it() {
        let (next, cores) = (AtomicUsize::new(0), thread::available_parallelism().map_or(1, usize::from));
        let work = || {
            let mut wrong = Vec::new();
            while let Some(defect) = DEFECTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                if defect.unseen.is_some() {
                    continue;
                }
                wrong.extend(is_shown(defect).err().map(|why| format!("{}: {why}", defect.id)));
            }
            wrong
        };
        let wrong: Vec<String> = thread::scope(|scope| {
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
    }
}
