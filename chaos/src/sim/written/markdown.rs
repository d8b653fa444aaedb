//! As Markdown, for the summary of a CI job.

use std::fmt::Write as _;

use super::super::Sweep;

/// Failing seeds that are shown; all are in the `JUnit` report.
const SHOWN_MAX: usize = 20;

/// The verdict first, then what failed and how to see it again, then what was proven.
pub fn markdown(sweep: &Sweep) -> String {
    let mut text = format!(
        "## Simulation: {}\n\n{} seeds{}: {} held, {} violated, {} not recovered, {} inconclusive, {} errors. \
         {:.0} simulated hours in {:.0} s. {} seeds were played twice, {} diverged.\n",
        sweep.verdict.as_str(),
        sweep.seeds,
        sweep.of_range(),
        sweep.held,
        sweep.violated,
        sweep.not_recovered,
        sweep.inconclusive,
        sweep.error,
        sweep.simulated_hours,
        sweep.wall_s,
        sweep.determinism.checked,
        sweep.determinism.diverged,
    );
    if !sweep.failing.is_empty() {
        text.push_str("\n| seed | verdict | why | again |\n|---|---|---|---|\n");
        for failing in sweep.failing.iter().take(SHOWN_MAX) {
            let why = cell(&failing.why.join("; "));
            let (seed, verdict) = (failing.seed, failing.verdict.as_str());
            let _ = writeln!(text, "| {seed} | {verdict} | {why} | `{}` |", failing.replay);
        }
        if let Some(more) = sweep.failing.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(text, "\nand {more} more in the JUnit report");
        }
    }
    text.push_str("\n<details><summary>Invariants, faults, ground that was covered</summary>\n\n");
    text.push_str("| invariant | says | judged | violated |\n|---|---|--:|--:|\n");
    for (id, (judged, violated)) in &sweep.invariants {
        let says = sweep.rules.get(id).map_or(String::new(), |rule| cell(rule.statement));
        let _ = writeln!(text, "| {id} | {says} | {judged} | {violated} |");
    }
    text.push_str("\n| fault | runs | bit in | hits |\n|---|--:|--:|--:|\n");
    for (kind, proven) in &sweep.faults {
        let _ = writeln!(text, "| {kind} | {} | {} | {} |", proven.planned, proven.bit, proven.hits);
    }
    text.push_str("\n| reached | in runs |\n|---|--:|\n");
    for (name, runs) in &sweep.coverage {
        let _ = writeln!(text, "| {name} | {runs} |");
    }
    text.push_str("\n</details>\n");
    text
}

/// Text that neither ends its cell nor is markup.
fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{super::case::sweep_of_two, *};

    #[test]
    fn the_summary_says_what_broke_and_keeps_its_columns() {
        let text = markdown(&sweep_of_two());
        assert!(text.starts_with("## Simulation: violated\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("| 4 ")).expect("the failing seed");
        let expected = "| 4 | violated | S4 at event 9: two &lt;effects> \\| one key | `reveille-chaos replay --seed 4` |";
        assert_eq!(row, expected);
        assert!(
            text.contains("| S4 | one &lt;effect> | 12 | 1 |") && text.contains("| link.reset | 2 | 1 | 4 |")
        );
    }

    #[test]
    fn seeds_that_did_not_fit_are_said() {
        let mut sweep = sweep_of_two();
        sweep.left_out = 98;
        assert!(markdown(&sweep).contains("2 seeds of 100 (as many as fitted into the time): 1 held"));
    }
}
