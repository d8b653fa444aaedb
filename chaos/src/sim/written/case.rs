//! What was played, one by one, whether it was a seed or a plan of the corpus.

use std::{collections::BTreeMap, path::PathBuf};

use super::super::{Corpus, Sweep, sweep::Rule};
use crate::experiment::Verdict;

/// One seed or one plan.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub verdict: Verdict,
    pub wall_s: f64,
    /// Empty where it held.
    pub why: Vec<String>,
    /// Ids of the violated invariants, each with its first violation.
    pub violated: BTreeMap<&'static str, String>,
    /// The command that plays it again.
    pub replay: String,
    /// Its plan, where that is a file of the repository.
    pub plan: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct Cases {
    /// The command.
    pub suite: &'static str,
    pub wall_s: f64,
    pub cases: Vec<Case>,
    /// The invariants that were judged.
    pub rules: BTreeMap<&'static str, Rule>,
}

impl From<&Sweep> for Cases {
    fn from(sweep: &Sweep) -> Self {
        let case = |name, verdict, wall_s| Case {
            name,
            verdict,
            wall_s,
            why: Vec::new(),
            violated: BTreeMap::new(),
            replay: String::new(),
            plan: None,
        };
        let mut cases: Vec<Case> = Vec::new();
        for played in &sweep.played {
            let held = case(format!("seed {}", played.seed), played.verdict, played.wall_s);
            let failing = sweep.failing.iter().find(|failing| failing.seed == played.seed);
            cases.push(failing.map_or(held.clone(), |failing| Case {
                verdict: failing.verdict,
                why: failing.why.clone(),
                violated: failing.violated.clone(),
                replay: failing.replay.clone(),
                ..held
            }));
        }
        let mut same = case("the same seed is the same history".into(), Verdict::Held, 0.0);
        if let Some(first) = sweep.determinism.seeds.first() {
            same.verdict = Verdict::Inconclusive;
            same.why = vec![format!("not the same history twice: seeds {:?}", sweep.determinism.seeds)];
            same.replay = format!("reveille-chaos replay --seed {first}");
        }
        cases.push(same);
        Self { suite: "reveille-chaos sim", wall_s: sweep.wall_s, cases, rules: sweep.rules.clone() }
    }
}

impl From<&Corpus> for Cases {
    fn from(corpus: &Corpus) -> Self {
        let cases = corpus.entries.iter().map(|entry| Case {
            name: entry.id.clone(),
            verdict: entry.verdict,
            wall_s: entry.wall_s,
            why: entry.why.clone(),
            violated: entry.violated.clone(),
            replay: entry.replay.clone(),
            plan: Some(entry.path.clone()),
        });
        let (cases, rules) = (cases.collect(), corpus.rules.clone());
        Self { suite: "reveille-chaos corpus", wall_s: corpus.wall_s, cases, rules }
    }
}

/// Two seeds, of which one broke S4.
#[cfg(test)]
pub(super) fn sweep_of_two() -> Sweep {
    use super::super::{
        Plan, SweepSpec,
        sweep::{Determinism, Failing, Played, Proven},
    };
    use crate::oracle::Checked;
    let spec = SweepSpec {
        seeds: 3..5,
        swarm: true,
        jobs: 1,
        keep: None,
        budget: None,
        stop: tokio_util::sync::CancellationToken::new(),
    };
    let mut sweep = Sweep::new(&spec);
    sweep.played = (3..5).map(|seed| Played { seed, wall_s: 1.5, verdict: Verdict::Held }).collect();
    sweep.rules.insert("S4", Rule::of(&Checked::new("S4", "one <effect>")));
    sweep.invariants.insert("S4", (12, 1));
    sweep.faults.insert("link.reset", Proven { planned: 2, bit: 1, hits: 4 });
    sweep.coverage.insert("woken", 2);
    (sweep.held, sweep.violated, sweep.verdict) = (1, 1, Verdict::Violated);
    sweep.failing.push(Failing {
        seed: 4,
        verdict: Verdict::Violated,
        why: vec!["S4 at event 9: two <effects> | one key".to_owned()],
        violated: BTreeMap::from([("S4", "two <effects>".to_owned())]),
        replay: "reveille-chaos replay --seed 4".into(),
        plan: Plan::calm(4),
    });
    sweep.determinism = Determinism { checked: 1, diverged: 1, seeds: vec![3] };
    sweep
}
