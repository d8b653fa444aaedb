//! The score: hypotheses that every run proved, of all that were put to the test. A violated invariant is no fraction of it.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;
use serde::Serialize;

use super::read::{Journals, Kept};
use crate::{
    experiment::{
        Verdict,
        file::{Layer, Quadrant},
        run::gravest,
    },
    sim::written::{Case, Cases},
};

/// Of the normal distribution, for 95 %.
const Z: f64 = 1.96;

/// A share with its interval at 95 %, by Wilson (1927), which holds for few as for many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    pub proved: usize,
    pub declared: usize,
    pub low: f64,
    pub high: f64,
}

impl Score {
    pub fn of(proved: usize, declared: usize) -> Self {
        let (n, share) = (declared.max(1) as f64, proved as f64 / declared.max(1) as f64);
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        let (low, high) = ((middle - half) / whole, (middle + half) / whole);
        Self { proved, declared, low: low.max(0.0), high: high.min(1.0) }
    }
}

/// One experiment over all its runs.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub id: String,
    pub title: String,
    pub layer: Option<Layer>,
    pub quadrant: Option<Quadrant>,
    pub runs: usize,
    /// The gravest of its runs.
    pub verdict: Verdict,
    /// What speaks against that run.
    pub why: Vec<String>,
    /// Predictions that held, and all, over its runs.
    pub predictions: (usize, usize),
    /// Mean over its runs.
    pub brier: Option<f64>,
    /// The command that does that run again.
    pub replay: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `FAIL` where an invariant was violated, however many others held.
    pub headline: &'static str,
    pub score: Score,
    /// Experiments that proved nothing, either way.
    pub inconclusive: usize,
    pub experiments: Vec<Line>,
    /// How many of each quadrant there are, and how many of them were proved.
    pub quadrants: BTreeMap<Quadrant, (usize, usize)>,
    pub brier: Option<f64>,
    pub runs: usize,
    pub wall_s: f64,
    pub verdict: Verdict,
}

impl Report {
    pub fn of(journals: &Journals) -> Self {
        let mut by_id: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
        for kept in &journals.0 {
            by_id.entry(&kept.reveille.id).or_default().push(kept);
        }
        let experiments: Vec<Line> = by_id.into_values().filter_map(|runs| line(&runs)).collect();
        let is_held = |line: &&Line| line.verdict == Verdict::Held;
        let mut quadrants: BTreeMap<Quadrant, (usize, usize)> = BTreeMap::new();
        for line in &experiments {
            if let Some(quadrant) = line.quadrant {
                let (all, proved) = quadrants.entry(quadrant).or_default();
                *all += 1;
                *proved += usize::from(line.verdict == Verdict::Held);
            }
        }
        let verdict = gravest(experiments.iter().map(|line| line.verdict)).unwrap_or(Verdict::Inconclusive);
        let headline = match verdict {
            Verdict::Violated => "FAIL",
            Verdict::Held => "all held",
            _ => "not all held",
        };
        Self {
            headline,
            score: Score::of(experiments.iter().filter(is_held).count(), experiments.len()),
            inconclusive: experiments.iter().filter(|line| line.verdict == Verdict::Inconclusive).count(),
            quadrants,
            brier: mean(journals.0.iter().filter_map(|kept| kept.reveille.brier)),
            runs: journals.0.len(),
            wall_s: journals.0.iter().map(|kept| kept.duration).sum(),
            experiments,
            verdict,
        }
    }

    /// In a sentence.
    pub fn summary(&self) -> String {
        let Score { proved, declared, low, high } = self.score;
        format!(
            "{}: {proved} of {declared} hypotheses proved ({:.0}-{:.0} % at 95 %), {} inconclusive, in {} runs",
            self.headline,
            100.0 * low,
            100.0 * high,
            self.inconclusive,
            self.runs
        )
    }

    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["experiment", "", "runs", "verdict", "foretold", "why"]);
        for line in &self.experiments {
            let (held, all) = line.predictions;
            table.add_row([
                line.id.clone(),
                line.quadrant.map(Quadrant::short).unwrap_or_default().to_owned(),
                line.runs.to_string(),
                line.verdict.as_str().to_owned(),
                format!("{held} of {all}"),
                line.why.first().cloned().unwrap_or_default(),
            ]);
        }
        let mut text = format!("{table}\n\n");
        for (quadrant, (all, proved)) in &self.quadrants {
            writeln!(text, "{}: {proved} of {all} proved", quadrant.short()).expect("text can be written to");
        }
        if let Some(brier) = self.brier {
            writeln!(text, "Brier score of the predictions: {brier:.3} (0 is best, 0.25 is a coin's)")
                .expect("text can be written to");
        }
        writeln!(text, "{}", self.summary()).expect("text can be written to");
        text
    }
}

fn line(runs: &[&Kept]) -> Option<Line> {
    let verdict = gravest(runs.iter().map(|kept| kept.reveille.verdict))?;
    let worst = runs.iter().find(|kept| kept.reveille.verdict == verdict)?;
    let predictions = || runs.iter().flat_map(|kept| &kept.reveille.predictions);
    let held = predictions().filter(|one| one.held == Some(true)).count();
    let (layer, quadrant) = worst.claim().unzip();
    Some(Line {
        id: worst.reveille.id.clone(),
        title: worst.title().to_owned(),
        layer,
        quadrant,
        runs: runs.len(),
        verdict,
        why: worst.reveille.why.clone(),
        predictions: (held, predictions().count()),
        brier: mean(runs.iter().filter_map(|kept| kept.reveille.brier)),
        replay: worst.reveille.replay.clone(),
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

impl From<&Journals> for Cases {
    fn from(journals: &Journals) -> Self {
        let case = |kept: &Kept| Case {
            name: format!("{} seed {}", kept.reveille.id, kept.reveille.seed),
            verdict: kept.reveille.verdict,
            wall_s: kept.duration,
            why: kept.reveille.why.clone(),
            violated: BTreeMap::new(),
            replay: kept.reveille.replay.clone(),
            plan: None,
        };
        let wall_s = journals.0.iter().map(|kept| kept.duration).sum();
        let cases = journals.0.iter().map(case).collect();
        Self { suite: "reveille-chaos run", wall_s, cases, rules: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(id: &str, seed: u64, verdict: &str, held: bool) -> Kept {
        serde_json::from_value(json!({
            "experiment": {"title": "a <claim>", "extensions": [{"layer": "store", "quadrant": "known-unknown"}]},
            "duration": 2.0,
            "reveille": {
                "id": id, "mode": "sim", "seed": seed, "verdict": verdict,
                "why": if held { json!([]) } else { json!([format!("because of {seed}")]) },
                "predictions": [{"held": held}, {"held": null}],
                "brier": 0.1, "replay": format!("reveille-chaos run {id} --seeds {seed}..{}", seed + 1),
            },
        }))
        .expect("a journal")
    }

    #[test]
    fn one_run_that_does_not_hold_is_the_experiments_verdict_and_one_violation_the_headline() {
        let mut all = Journals(vec![
            kept("EP-01", 1, "held", true),
            kept("EP-01", 2, "deviated", false),
            kept("EP-02", 1, "held", true),
        ]);
        let report = Report::of(&all);
        assert_eq!((report.score.proved, report.score.declared, report.headline), (1, 2, "not all held"));
        let first = &report.experiments[0];
        assert_eq!((first.verdict, first.predictions, first.runs), (Verdict::Deviated, (1, 4), 2));
        assert_eq!(
            (first.why.as_slice(), first.replay.as_str()),
            (["because of 2".to_owned()].as_slice(), "reveille-chaos run EP-01 --seeds 2..3")
        );
        assert_eq!(report.quadrants[&Quadrant::KnownUnknown], (2, 1));
        all.0.push(kept("EP-03", 1, "violated", false));
        let report = Report::of(&all);
        assert_eq!((report.headline, report.verdict), ("FAIL", Verdict::Violated));
        assert!(report.page().contains("a &lt;claim&gt;") && report.markdown().contains("| EP-03 |"));
    }

    #[test]
    fn the_interval_is_that_of_wilson() {
        // 8 of 10: 0.490 to 0.943, as published tables have it.
        let score = Score::of(8, 10);
        assert!((score.low - 0.490).abs() < 0.001 && (score.high - 0.943).abs() < 0.001, "{score:?}");
        assert!(Score::of(0, 3).low.abs() < 1e-12 && (Score::of(3, 3).high - 1.0).abs() < 1e-12);
    }
}
