//! A plan for people: who is hit by what, how far it reaches, and what the next rung waits for.

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;

use super::freeze::{FrozenTarget, Plan};

/// Names shown of one target; the plan file has them all.
const NAMES_SHOWN_MAX: usize = 6;

impl Plan {
    /// Ready to print.
    pub fn render(&self) -> String {
        let cap = self.instances_max.map_or_else(|| "no cap".to_owned(), |cap| format!("at most {cap}"));
        let reach = format!(
            "reaches {} hosts (at most {}) and {} instances ({cap})",
            self.hosts, self.hosts_max, self.instances
        );
        let rung = format!("rung {} is open, in {}", self.unlocked.rung, self.unlocked.mode.name());
        let next = self.unlocked.next.clone().unwrap_or_else(|| "the ladder ends here".to_owned());
        let head = format!("{}: {}, seed {}", self.experiment, self.title, self.seed);
        let lines = [
            head,
            self.faults().to_string(),
            self.targets().to_string(),
            reach,
            format!("{rung}; {next}"),
            format!("sha256 {}, of the experiment {}\n", self.plan_sha256, self.experiment_sha256),
        ];
        lines.join("\n")
    }

    fn faults(&self) -> Table {
        let mut table = table(&["fault", "kind", "target", "from", "until", "lease"]);
        for fault in &self.faults {
            table.add_row([
                fault.id.clone(),
                fault.kind.clone(),
                fault.target.clone(),
                fault.starts.to_string(),
                fault.ends.to_string(),
                fault.lease.to_string(),
            ]);
        }
        table
    }

    fn targets(&self) -> Table {
        let mut table = table(&["target", "of", "left out", "who"]);
        for (name, target) in &self.targets {
            let count = target.resolved.len().to_string();
            table.add_row([name.clone(), count, target.excluded.to_string(), who(target)]);
        }
        table
    }
}

fn who(target: &FrozenTarget) -> String {
    let shown = target.resolved.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    let hidden = target.resolved.len().saturating_sub(NAMES_SHOWN_MAX);
    if hidden > 0 { format!("{shown} and {hidden} more") } else { shown }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    table
}
