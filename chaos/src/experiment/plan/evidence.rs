//! What earlier runs proved, read from their journals: nobody writes it down by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

use super::Evidence;
use crate::experiment::{
    Verdict,
    file::{Experiment, RunMode},
    journals::{Unreadable, read_all},
};

/// Of a journal, what counts.
#[derive(Deserialize)]
struct Told {
    experiment: Value,
    reveille: Ours,
}

#[derive(Deserialize)]
struct Ours {
    id: String,
    seed: u64,
    rung: u64,
    mode: RunMode,
    verdict: String,
}

impl Evidence {
    /// Of the journals (`*.json`) in `dir`: a rung has held as often as there are seeds with which this very experiment held on
    /// it, in its mode. What was changed since is another experiment, and proves nothing of this one; neither does a seed that also did
    /// not hold.
    ///
    /// # Errors
    /// When the directory or a journal cannot be read.
    pub fn of_journals(experiment: &Experiment, dir: &Path) -> Result<Self, Unreadable> {
        let this = serde_json::to_value(experiment)
            .map_err(|source| Unreadable::NoJournal { path: dir.to_owned(), source })?;
        let id = &experiment.reveille().id;
        let ladder = &experiment.reveille().blast_radius.ladder;
        let mut held: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        let mut not: BTreeSet<(u64, u64)> = BTreeSet::new();
        for told in read_all::<Told>(dir)? {
            let Ours { seed, rung, mode, verdict, .. } = told.reveille;
            if told.reveille.id != *id || told.experiment != this {
                continue;
            }
            // Outside the ladder, say to rehearse on a machine of one's own, it proves nothing of a rung.
            if ladder.iter().find(|it| it.rung == rung).is_some_and(|it| it.mode != mode) {
                continue;
            }
            if verdict == Verdict::Held.as_str() {
                held.entry(rung).or_default().insert(seed);
            } else {
                not.insert((rung, seed));
            }
        }
        let count = |(rung, seeds): (u64, BTreeSet<u64>)| {
            (rung, seeds.into_iter().filter(|seed| !not.contains(&(rung, *seed))).count() as u64)
        };
        Ok(Self { held: held.into_iter().map(count).collect(), approved: false })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::experiment::template;

    #[test]
    fn only_seeds_with_which_this_very_experiment_held_count() {
        let experiment = template::find("EP-02").expect("is there").read().expect("is valid");
        let this = serde_json::to_value(&experiment).expect("serializable");
        let mut changed = this.clone();
        changed["title"] = json!("another claim");
        let dir = TempDir::new().expect("a directory");
        let journals = [
            (&this, "EP-02", 1, "held"),
            (&this, "EP-02", 1, "held"),
            (&this, "EP-02", 2, "held"),
            (&this, "EP-02", 3, "violated"),
            (&this, "EP-02", 4, "held"),
            (&this, "EP-02", 4, "deviated"),
            (&this, "EP-03", 5, "held"),
            (&changed, "EP-02", 6, "held"),
            (&this, "EP-02", 7, "held"),
        ];
        for (n, (experiment, id, seed, verdict)) in journals.into_iter().enumerate() {
            let mode = if seed == 7 { "local" } else { "sim" };
            let ours = json!({"id": id, "seed": seed, "rung": 0, "mode": mode, "verdict": verdict});
            let journal = json!({"experiment": experiment, "reveille": ours});
            fs::write(dir.path().join(format!("{n}.json")), journal.to_string()).expect("writable");
        }
        fs::write(dir.path().join("EP-02-7.faults.json"), "{}").expect("writable");
        let evidence = Evidence::of_journals(&experiment, dir.path()).expect("readable");
        assert_eq!(evidence, Evidence { held: [(0, 2)].into(), approved: false });
        fs::write(dir.path().join("x.json"), "{}").expect("writable");
        let error = Evidence::of_journals(&experiment, dir.path()).expect_err("it is none");
        assert!(error.to_string().ends_with("x.json is no journal of a run"), "{error}");
    }
}
