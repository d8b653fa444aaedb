//! A report as a page for a browser, and as Markdown for the summary of a CI job.

use std::fmt::Write as _;

use maud::html;

use super::score::Report;
use crate::{
    experiment::{Verdict, file::Quadrant},
    page::{class, heading, page},
};

impl Report {
    /// Complete with its style; it loads nothing.
    pub fn page(&self) -> String {
        let body = html! {
            (heading("Experiments", self.verdict))
            div class=(format!("verdict {}", class(self.verdict))) {
                p { strong { (self.summary()) "." } }
                p { @for (quadrant, (all, proved)) in &self.quadrants {
                    (quadrant.short()) ": " (proved) " of " (all) " proved. "
                } @if let Some(brier) = self.brier {
                    "Brier score of the predictions: " (format!("{brier:.3}")) " (0 is best, 0.25 is a coin's)."
                } }
            }
            h2 { "Hypotheses" }
            div.wide { table {
                tr { th { "" } th { "" } th { "claim" } th.number { "runs" } th { "verdict" } th { "foretold" }
                    th { "why, and how to see it again" } }
                @for line in &self.experiments {
                    tr class=[match line.verdict {
                        Verdict::Held => None,
                        Verdict::Violated => Some("bad"),
                        _ => Some("doubt"),
                    }] {
                        td style="white-space: nowrap" { (line.id) }
                        td { (line.quadrant.map(Quadrant::short).unwrap_or_default()) }
                        td { (line.title) }
                        td.number { (line.runs) }
                        td { (line.verdict.as_str()) }
                        td { (line.predictions.0) " of " (line.predictions.1) }
                        td { @if line.verdict != Verdict::Held {
                            @for why in &line.why { (why) br; }
                            code { (line.replay) }
                        } }
                    }
                }
            } }
            h2 { "What the letters say" }
            p { "KK: known and understood, must hold. KU: known, the size is not. UK: a safeguard that somebody built and "
                "nobody remembers to test. UU: what nobody thought of. Claimed before the run." }
        };
        page("Experiments", &body)
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("## Experiments: {}\n\n", self.summary());
        text.push_str(
            "| experiment | | runs | verdict | foretold | why | again |\n|---|---|--:|---|---|---|---|\n",
        );
        for line in &self.experiments {
            let (held, all) = line.predictions;
            let (quadrant, verdict) =
                (line.quadrant.map(Quadrant::short).unwrap_or_default(), line.verdict.as_str());
            let is_held = line.verdict == Verdict::Held;
            let why = line.why.join("; ").replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|");
            let again = if is_held { String::new() } else { format!("`{}`", line.replay) };
            writeln!(
                text,
                "| {} | {quadrant} | {} | {verdict} | {held} of {all} | {why} | {again} |",
                line.id, line.runs
            )
            .expect("text can be written to");
        }
        text
    }
}
