//! What came out, for a person.

use comfy_table::{Cell, CellAlignment, Table};
use reveille_controller::report::STYLE;

use super::FailoverOutcome;
use crate::experiment::Verdict;

impl FailoverOutcome {
    pub fn render(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("SKIPPED: {} rounds of failover ({why})\n", self.rounds_asked);
        }
        let problems = self.not_recovered.iter().chain(&self.deviations);
        let violations = self.checked.iter().flat_map(|checked| &checked.violations).map(|one| &one.text);
        let lines: Vec<String> = problems.chain(violations).map(|problem| format!("- {problem}\n")).collect();
        let (rounds, wakes, seconds) = (self.table_of_rounds(), self.table_of_wakes(), self.wall_s);
        let verdict = self.verdict.unwrap_or(Verdict::Error);
        format!("{rounds}\n{wakes}\n{}{seconds:.0} s, verdict: {verdict:?}\n", lines.concat())
    }

    fn table_of_rounds(&self) -> Table {
        let mut table = Table::new();
        let seconds =
            |seconds: Option<f64>| seconds.map_or_else(|| "never".to_owned(), |s| format!("{s:.1}"));
        let header = [
            "round",
            "fault",
            "leader",
            "its agents",
            "lease, s",
            "first call, s",
            "every host, s",
            "steady, s",
        ];
        table.load_style(STYLE).set_header(header);
        for round in &self.rounds {
            let leader = match &round.new_leader {
                Some(new) if *new != round.leader => format!("{} → {new}", round.leader),
                _ => round.leader.clone(),
            };
            let cells =
                [round.failover_s, round.first_call_s, round.all_hosts_s, round.steady_s].map(seconds);
            let mut row = vec![
                Cell::new(round.round),
                Cell::new(round.fault),
                Cell::new(leader),
                Cell::new(round.agents_of_leader).set_alignment(CellAlignment::Right),
            ];
            row.extend(cells.map(|cell| Cell::new(cell).set_alignment(CellAlignment::Right)));
            table.add_row(row);
        }
        let max = [self.failover_s_max, None, self.all_hosts_s_max, None];
        let mut row = vec![Cell::new(""), Cell::new("longest"), Cell::new(""), Cell::new("")];
        let cell = |max: Option<f64>| Cell::new(max.map_or_else(String::new, |s| format!("{s:.1}")));
        row.extend(max.map(|max| cell(max).set_alignment(CellAlignment::Right)));
        table.add_row(row);
        table
    }

    fn table_of_wakes(&self) -> Table {
        let ends =
            self.by_end.iter().map(|(end, count)| format!("{end} {count}")).collect::<Vec<_>>().join(", ");
        let permits: u32 = self.permits_left.values().sum();
        let checked: Vec<String> = self
            .checked
            .iter()
            .map(|one| format!("{} {} of {}", one.id, one.violations.len(), one.checked))
            .collect();
        let mut table = Table::new();
        table.load_style(STYLE).set_header(["wakes", ""]);
        table.add_row(["acknowledged".to_owned(), self.acknowledged.to_string()]);
        table.add_row(["known".to_owned(), format!("{} ({ends})", self.wakes)]);
        table.add_row(["calls accepted".to_owned(), self.calls.to_string()]);
        table.add_row(["lost".to_owned(), self.lost.to_string()]);
        table.add_row(["called twice".to_owned(), self.doubled.to_string()]);
        table.add_row(["permits left".to_owned(), permits.to_string()]);
        table.add_row(["violations".to_owned(), checked.join(", ")]);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
