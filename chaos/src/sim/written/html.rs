//! A sweep as one page for a browser.

use maud::{Markup, html};

use super::super::{Sweep, outcome::REQUIRED};
use crate::page::{class, heading, page};

impl Sweep {
    /// Complete with its style; it loads nothing.
    pub fn page(&self) -> String {
        let body = html! {
            (heading("Simulated mornings", self.verdict))
            p.soft { (self.seeds) " seeds" (self.of_range()) ", " (format!("{:.0}", self.simulated_hours))
                " simulated hours in " (format!("{:.0}", self.wall_s)) " s: "
                (format!("{:.1}", self.simulated_hours_per_s())) " a second, "
                (format!("{:.0}", self.seeds_per_minute())) " seeds a minute" }
            (self.in_words())
            (self.failures())
            h2 { "Invariants" }
            (self.judged_table())
            div.columns {
                div { h2 { "Faults, and whether they bit" } (self.fault_table()) }
                div { h2 { "Ground that was covered" } (self.covered_table()) }
            }
            h2 { "See one again" }
            p { "A seed is a plan, and with the same build the same history, byte for byte. Any of them can be drawn:" }
            pre { "reveille-chaos replay --seed N --html FILE" }
        };
        page("Simulated mornings", &body)
    }

    fn in_words(&self) -> Markup {
        let counts = [
            (self.held, "held"),
            (self.violated, "violated"),
            (self.not_recovered, "not recovered"),
            (self.deviated, "deviated"),
            (self.inconclusive, "inconclusive"),
            (self.error, "failed in the harness"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let broken: Vec<&str> =
            self.invariants.iter().filter(|(_, (_, n))| *n > 0).map(|(id, _)| *id).collect();
        let bit = self.faults.values().filter(|proven| proven.bit > 0).count();
        let missed: Vec<&str> =
            self.coverage.iter().filter(|(_, n)| **n == 0).map(|(name, _)| *name).collect();
        html! {
            div class=(format!("verdict {}", class(self.verdict))) {
                p { strong { "Of " (self.seeds) " seeds " (counts.join(", ")) "." }
                    @if !broken.is_empty() { " Broken: " (broken.join(", ")) "." } }
                p { (bit) " of " (self.faults.len()) " kinds of faults met somebody."
                    @if !missed.is_empty() { " Never reached: " (missed.join(", ")) "." } }
                p { @if self.determinism.checked == 0 { "No seed was played twice." }
                    @else if self.determinism.diverged == 0 {
                        (self.determinism.checked) " seeds were played twice: each gave the same history."
                    } @else {
                        strong { "Not the same history twice: seeds " (format!("{:?}", self.determinism.seeds)) "." }
                    } }
            }
        }
    }

    fn failures(&self) -> Markup {
        html! {
            h2 { "Seeds that did not hold" }
            @if self.failing.is_empty() { p { "None." } } @else {
                div.wide { table {
                    tr { th.number { "seed" } th { "verdict" } th { "why" } th { "again" } }
                    @for failing in &self.failing {
                        tr {
                            td.number { (failing.seed) }
                            td { (failing.verdict.as_str()) }
                            td { @for why in &failing.why { (why) br; } }
                            td { code { (failing.replay) } }
                        }
                    }
                } }
            }
        }
    }

    fn judged_table(&self) -> Markup {
        html! {
            div.wide { table {
                tr { th { "" } th { "statement" } th.number { "judged" } th.number { "broken" } th { "" } }
                @for (id, (judged, broken)) in &self.invariants {
                    @let is_needed = REQUIRED.contains(id);
                    tr class=[if *broken > 0 { Some("bad") } else { (*judged == 0).then_some("doubt") }] {
                        td { (id) }
                        td { (self.rules.get(id).map_or("", |rule| rule.statement)) }
                        td.number { (judged) }
                        td.number { (broken) }
                        td { @if *broken > 0 { "broken" } @else if *judged > 0 { "held" }
                            @else if is_needed { "nothing to judge, and there must be" } @else { "nothing to judge" } }
                    }
                }
            } }
        }
    }

    fn fault_table(&self) -> Markup {
        html! {
            div.wide { table {
                tr { th { "fault" } th.number { "in runs" } th.number { "bit in" } th.number { "hits" } }
                @for (kind, proven) in &self.faults {
                    tr class=[(proven.bit == 0).then_some("doubt")] {
                        td { (kind) }
                        td.number { (proven.planned) }
                        td.number { (proven.bit) }
                        td.number { (proven.hits) }
                    }
                }
            } }
        }
    }

    fn covered_table(&self) -> Markup {
        html! {
            div.wide { table {
                tr { th { "reached" } th.number { "in runs" } }
                @for (name, runs) in &self.coverage {
                    tr class=[(*runs == 0).then_some("doubt")] {
                        td { (name.replace('_', " ")) }
                        td.number { (runs) }
                    }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::sweep_of_two;
    use crate::experiment::Verdict;

    #[test]
    fn a_page_says_which_seeds_broke_what_and_how_to_see_them() {
        let page = sweep_of_two().page();
        for text in [
            "Of 2 seeds 1 held, 1 violated.",
            "Broken: S4.",
            "two &lt;effects&gt; | one key",
            "reveille-chaos replay --seed 4",
            "one &lt;effect&gt;",
            "1 of 1 kinds of faults met somebody.",
            "Not the same history twice: seeds [3].",
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "it loads nothing");
    }

    #[test]
    fn what_was_never_reached_is_said() {
        let mut sweep = sweep_of_two();
        sweep.coverage.insert("crashed", 0);
        (sweep.verdict, sweep.violated, sweep.held) = (Verdict::Held, 0, 2);
        sweep.determinism.diverged = 0;
        sweep.failing.clear();
        let page = sweep.page();
        assert!(page.contains("Never reached: crashed.") && page.contains("Of 2 seeds 2 held."), "{page}");
        assert!(page.contains("badge held") && page.contains("<p>None.</p>"), "{page}");
        assert!(page.contains("1 seeds were played twice: each gave the same history."), "{page}");
    }
}
