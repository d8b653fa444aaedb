//! A sweep and a replay as a person reads them.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;

use super::{Plan, SimOutcome, Sweep, shrink::Shrunk};
use crate::{history::History, page};

/// Failing seeds that are shown; all are in the JSON.
const SHOWN_MAX: usize = 10;

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}

impl Sweep {
    pub fn render(&self) -> String {
        let mut invariants = table(["invariant", "judged", "violated"]);
        for (id, (judged, violated)) in &self.invariants {
            invariants.add_row([(*id).to_owned(), judged.to_string(), violated.to_string()]);
        }
        let mut faults = table(["fault", "runs", "bit in", "hits"]);
        for (kind, proven) in &self.faults {
            let cells = [proven.planned, proven.bit, proven.hits].map(|count| count.to_string());
            faults.add_row(std::iter::once((*kind).to_owned()).chain(cells));
        }
        let mut coverage = table(["reached", "runs"]);
        for (name, runs) in &self.coverage {
            coverage.add_row([(*name).to_owned(), runs.to_string()]);
        }
        let mut text = format!("{invariants}\n\n{faults}\n\n{coverage}\n\n");
        for failing in self.failing.iter().take(SHOWN_MAX) {
            let why = failing.why.join("; ");
            let (seed, verdict) = (failing.seed, failing.verdict.as_str());
            let _ = writeln!(text, "seed {seed} {verdict}: {why}\n  {}", failing.replay);
        }
        if let Some(more) = self.failing.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(text, "and {more} more, see --output json");
        }
        let _ = writeln!(
            text,
            "{} seeds: {} held, {} violated, {} not recovered, {} inconclusive, {} errors\n\
             {:.0} simulated hours in {:.0} s: {:.1} a second, {:.0} seeds a minute\n\
             determinism: {} seeds played twice, {} diverged\n\
             verdict: {}",
            self.seeds,
            self.held,
            self.violated,
            self.not_recovered,
            self.inconclusive,
            self.error,
            self.simulated_hours,
            self.wall_s,
            self.simulated_hours_per_s(),
            self.seeds_per_minute(),
            self.determinism.checked,
            self.determinism.diverged,
            self.verdict.as_str(),
        );
        text
    }
}

impl SimOutcome {
    pub fn render(&self) -> String {
        let plan = &self.plan;
        let mut text = format!(
            "seed {}: {} hosts, {} instances, at most {} wakes a host, {} h, {} who ask\n\n",
            self.seed,
            plan.hosts,
            plan.instances,
            plan.host_wakes_max,
            plan.played_s / 3600,
            plan.asks.len()
        );
        let mut faults = table(["fault", "from s", "for s", "what"]);
        for planned in &plan.faults {
            let what = serde_json::to_value(&planned.what).unwrap_or_default();
            let what = what.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
            let what: Vec<String> = what.map(|(name, value)| format!("{name} {value}")).collect();
            let (at, length) = (planned.at_s.to_string(), planned.for_s.to_string());
            faults.add_row([planned.kind().to_owned(), at, length, what.join(", ")]);
        }
        let mut invariants = table(["invariant", "judged", "violated", "first"]);
        for one in &self.invariants {
            let first = one
                .violations
                .first()
                .map_or(String::new(), |first| format!("event {}: {}", first.i, first.text));
            let counts = [one.checked, one.violations.len() as u64].map(|count| count.to_string());
            let [judged, violated] = counts;
            invariants.add_row([one.id.to_owned(), judged, violated, first]);
        }
        let _ = writeln!(text, "{faults}\n\n{invariants}\n");
        for proof in &self.faults {
            let _ =
                writeln!(text, "fault {}: hit {} of {} times", proof.kind, proof.hits, proof.opportunities);
        }
        for what in &self.not_recovered {
            let _ = writeln!(text, "not recovered: {what}");
        }
        let _ = writeln!(
            text,
            "\n{} events, history {}\nverdict: {}",
            self.events,
            &self.history_sha256[..16],
            self.verdict.as_str()
        );
        text
    }
}

impl SimOutcome {
    /// As a page for a browser; `replay` is the command that plays it again.
    pub fn page(&self, history: &History, replay: &str) -> String {
        let plan = serde_json::to_string_pretty(&self.plan).unwrap_or_default();
        let title = format!("Simulated morning of seed {}", self.seed);
        let told = page::Told {
            title: &title,
            verdict: self.verdict,
            invariants: &self.invariants,
            faults: &self.faults,
            not_recovered: &self.not_recovered,
            replay,
            plan: &plan,
        };
        page::render(history, &told)
    }
}

impl Shrunk {
    pub fn render(&self) -> String {
        let size = |plan: &Plan| {
            let (faults, hosts, instances) = (plan.faults.len(), plan.hosts, plan.instances);
            format!("{faults} faults, {hosts} hosts, {instances} instances, {} s", plan.played_s)
        };
        let plan = serde_json::to_string_pretty(&self.to).unwrap_or_default();
        let end = if self.is_done { "nothing smaller fails in the same way" } else { "time was up" };
        format!(
            "{plan}\n\n{}: {}\nfrom {}\nto   {}\nafter {} runs: {end}\n",
            self.failure.verdict.as_str(),
            self.failure.invariants.join(", "),
            size(&self.from),
            size(&self.to),
            self.runs,
        )
    }
}
