//! An experiment that is to be run, and the rung of its ladder it is run on.

use std::path::PathBuf;

use crate::experiment::{
    file::{Experiment, RunMode},
    journals::Unreadable,
    plan::{Evidence, Unlocked, unlocked, unlocked_in},
};

/// An experiment of a series.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is called on the command line.
    pub name: String,
    pub experiment: Experiment,
    /// The rung it is run on.
    pub on: Unlocked,
    /// Whence the evidence for the rung; none where it needs none.
    pub climb: Option<Climb>,
}

impl Entry {
    /// On its first rung, which needs no evidence.
    pub fn first(name: String, experiment: Experiment) -> Self {
        let on = unlocked(&experiment.reveille().blast_radius.ladder, &Evidence::default());
        Self { name, experiment, on, climb: None }
    }

    /// What is said to the commands so that they take the same rung.
    pub(super) fn args(&self) -> Vec<String> {
        let Some(climb) = &self.climb else { return Vec::new() };
        let (journals, rung) = (climb.journals.display().to_string(), self.on.rung.to_string());
        vec!["--ladder".to_owned(), journals, "--rung".to_owned(), rung]
    }

    /// The command that runs it again with `seed`; `mode` are the words that say where.
    pub fn replay(&self, seed: u64, mode: &str) -> String {
        let mut words = vec![format!("reveille-chaos run{mode}")];
        words.extend(self.args());
        words.extend([self.name.clone(), format!("--seeds {seed}..{}", seed + 1)]);
        words.join(" ")
    }
}

/// How the ladder is climbed: what held before stands in journals, and nothing else opens a rung.
#[derive(Debug, Clone)]
pub struct Climb {
    /// Where runs before have written them.
    pub journals: PathBuf,
    /// This rung, which must be open; without one the highest.
    pub rung: Option<u64>,
}

impl Climb {
    /// The rung of `experiment` that is open in `mode`; in words why there is none.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn stand(
        &self,
        experiment: &Experiment,
        mode: RunMode,
        approved: bool,
    ) -> Result<Result<Unlocked, String>, Unreadable> {
        // Before the first run there is none.
        let is_there = self.journals.exists();
        let told = is_there.then(|| Evidence::of_journals(experiment, &self.journals)).transpose()?;
        let evidence = Evidence { approved, ..told.unwrap_or_default() };
        Ok(unlocked_in(&experiment.reveille().blast_radius.ladder, &evidence, mode, self.rung))
    }
}
