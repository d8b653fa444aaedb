//! What became of planted defects, as a person reads it.

use std::{fmt::Write as _, path::Path};

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;

use super::{DEFECTS, hunt::Hunt, kept::Kept};
use crate::sim::{Plan, Planned};

impl Hunt {
    /// A table of the defects.
    pub fn render(&self) -> String {
        let mut table = Table::new();
        let header = ["defect", "found by", "seed", "seeds", "shrunk plan", "s"];
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
        for hunted in &self.defects {
            let wall_s = format!("{:.0}", hunted.wall_s);
            let id = hunted.defect.id.to_owned();
            let Some(found) = &hunted.found else {
                let others = hunted.else_violated.iter().map(|(id, seeds)| format!("{id} in {seeds}"));
                let what = format!("not found; {}", others.collect::<Vec<_>>().join(", "));
                table.add_row([id, String::new(), String::new(), String::new(), what, wall_s]);
                continue;
            };
            let (seed, seeds) = (found.seed.to_string(), found.seeds.to_string());
            table.add_row([id, found.invariant.clone(), seed, seeds, in_short(&found.plan), wall_s]);
        }
        let found = self.defects.iter().filter(|hunted| hunted.found.is_some()).count();
        format!(
            "{table}\n\n{found} of {} planted defects found in {:.0} s\nverdict: {}\n",
            self.defects.len(),
            self.wall_s,
            self.verdict().as_str()
        )
    }
}

/// A plan in one line.
pub fn in_short(plan: &Plan) -> String {
    let fault = |planned: &Planned| {
        let hosts = planned.hosts.iter().map(|host| format!("host {}", host + 1));
        let whom: Vec<String> = std::iter::once(planned.kind().to_owned()).chain(hosts).collect();
        format!("{} at {}+{} s", whom.join(" "), planned.at_s, planned.for_s)
    };
    let faults: Vec<String> = plan.faults.iter().map(fault).collect();
    let faults = if faults.is_empty() { "no fault".to_owned() } else { faults.join(", ") };
    let (hosts, instances, asks) = (plan.hosts, plan.instances, plan.asks.len());
    format!("{hosts} hosts, {instances} instances, {asks} asks, {} s; {faults}", plan.played_s)
}

const ABOUT: &str = "\
# Planted defects

Is the proving ground any good? Each defect below is a mistake somebody could make, planted in the real controller or agent at
the line where it would be made. The simulation ([sim.md](sim.md)) plays seed after seed until a judge sees it, and the plan
is then made as small as it gets while the same invariant breaks, and holds without the defect. A seed draws from all faults,
or, where it says \"directed\", from those that bring such a mistake out only together. This page and the plans are written by

    cargo run -p reveille-chaos --features planted -- planted --corpus chaos/corpus/planted --write-docs chaos/docs/planted.md

which ends with exit code 20 when one is not found. `cargo test -p reveille-chaos --features planted --lib planted::` plays the
kept plans again, each with its defect and without.

A line asks `planted!(\"name\")`. Without the feature `planted`, which nothing turns on by default, that is the literal `false`
(`proto/src/planted.rs`): there is no defect in the program, and nothing that could switch one on. With it, one defect is
planted on one thread, the one a simulated installation lives on.

";

/// The page of all defects, from what is kept in `corpus`; `shown` is how that directory is called there.
pub fn page(corpus: &Path, shown: &str) -> String {
    let mut page = ABOUT.to_owned();
    let kept: Vec<_> = DEFECTS.iter().map(|defect| (defect, Kept::of(defect, corpus))).collect();
    let found = kept.iter().filter(|(_, kept)| kept.is_some()).count();
    let most = kept.iter().filter_map(|(_, kept)| Some(kept.as_ref()?.seeds)).max().unwrap_or(0);
    let _ = writeln!(
        page,
        "{found} of {} are found, each within {most} seeds.\n\n\
         | defect | what is broken | where | found by | seed | shrunk plan |\n|---|---|---|---|---|---|",
        DEFECTS.len()
    );
    for (defect, kept) in &kept {
        let (id, what, file) = (defect.id, defect.what, defect.file);
        let rest = kept.as_ref().map_or_else(
            || format!("not found{} | | ", defect.unseen.map(|why| format!(": {why}")).unwrap_or_default()),
            |kept| {
                let directed = if kept.kinds.is_empty() { "" } else { ", directed" };
                format!("{} | {}{directed} | {}", kept.invariant, kept.seed, in_short(&kept.plan))
            },
        );
        let _ = writeln!(page, "| `{id}` | {what} | `{file}` | {rest} |");
    }
    page.push_str(
        "\nWhat the judges say, and the command that plays it again, of a program that is built with ",
    );
    page.push_str("`--features planted`:\n\n");
    for (defect, kept) in kept.iter().filter_map(|(defect, kept)| Some((defect, kept.as_ref()?))) {
        let (id, invariant, text) = (defect.id, &kept.invariant, &kept.text);
        let _ = writeln!(
            page,
            "- `{id}`: {invariant}, {text}. `reveille-chaos planted --replay {shown}/{id}.json`"
        );
    }
    page
}
