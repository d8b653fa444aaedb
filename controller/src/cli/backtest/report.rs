//! What a backtest found, as JSON and as a table.

use std::{fmt, path::PathBuf};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::{
    fitted::{AblationRow, FittedPart},
    model::ModelUsed,
    trace::RejectedRow,
};
use crate::report::{STYLE, backtest::Score};

/// One rule, or one budget, and what it would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub rule: String,
    /// Of a row of the fitted model.
    #[serde(flatten)]
    pub budget: Option<Budget>,
    #[serde(flatten)]
    pub score: Score,
}

/// What was asked of the fitted model, and the thresholds that followed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// Idle hours per instance and day.
    pub idle_budget_h: f64,
    pub threshold_start: f32,
    pub threshold_min: f32,
    pub threshold_max: f32,
    pub threshold_end: f32,
}

/// What a backtest found. In JSON the figures of the first row also stand at the top level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestReport {
    pub trace: PathBuf,
    /// `utc` or `local`.
    pub clock: &'static str,
    pub instances: usize,
    pub sightings: usize,
    pub visits: usize,
    /// Arrivals on enrolled days.
    pub arrivals: u64,
    /// Instance-days enrolled.
    pub enrolled_days: u64,
    #[serde(flatten)]
    pub first: Option<Score>,
    /// Of the fitted model, if it decided.
    #[serde(flatten)]
    pub fitted: Option<FittedPart>,
    pub rows: Vec<Row>,
    /// Rows of the trace that were left out. Where there are any, the command does not end with success.
    pub rejected: u64,
    pub rejected_first: Vec<RejectedRow>,
}

impl fmt::Display for BacktestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} ({} clock): {} instances, {} sightings, {} visits; {} arrivals on {} enrolled days",
            self.trace.display(),
            self.clock,
            self.instances,
            self.sightings,
            self.visits,
            self.arrivals,
            self.enrolled_days,
        )?;
        match &self.fitted {
            None => writeln!(f, "{}", self.table())?,
            Some(part) => {
                let ModelUsed { source, data, before, version } = &part.model;
                let before = before.map(|date| format!(" before {date}")).unwrap_or_default();
                let data = data.display();
                match *source {
                    "embedded" => writeln!(f, "model {version}, built in")?,
                    "fitted" => writeln!(f, "model {version}, fitted to {data}{before}")?,
                    _ => writeln!(f, "model {version}, {source} from {data}")?,
                }
                if part.covisits {
                    writeln!(f, "with wakes of those who usually follow one that just arrived")?;
                }
                writeln!(f, "{}", self.budgets(part))?;
                if let Some(rows) = &part.ablation {
                    writeln!(f, "{}", self.ablation(rows))?;
                }
            }
        }
        if self.rejected > 0 {
            writeln!(f, "rows left out: {}; the first of them:", self.rejected)?;
            for row in &self.rejected_first {
                writeln!(f, "  {row}")?;
            }
        }
        Ok(())
    }
}

impl BacktestReport {
    fn table(&self) -> Table {
        let header = ["rule", "recall", "precision", "idle h/day", "wakes/day", "manual/day"];
        let row = |Row { rule, score, .. }: &Row| {
            let [recall, precision, idle, wakes, manual] = figures(score);
            vec![rule.clone(), recall, precision, idle, wakes, manual]
        };
        aligned(header.map(str::to_owned).to_vec(), self.rows.iter().map(row))
    }

    fn budgets(&self, part: &FittedPart) -> Table {
        let header = [
            "budget h/day",
            "spent h/day",
            "recall",
            "precision",
            "wakes/day",
            "manual/day",
            "threshold",
            "calibration error",
        ];
        let row = |Row { budget, score, .. }: &Row| {
            let [recall, precision, idle, wakes, manual] = figures(score);
            let asked = budget.map(|budget| budget.idle_budget_h.to_string()).unwrap_or_default();
            let threshold = budget
                .map(|budget| format!("{:.2} to {:.2}", budget.threshold_min, budget.threshold_max))
                .unwrap_or_default();
            let error = part.calibration_error.map_or_else(|| "-".to_owned(), |error| format!("{error:.4}"));
            vec![asked, idle, recall, precision, wakes, manual, threshold, error]
        };
        aligned(header.map(str::to_owned).to_vec(), self.rows.iter().map(row))
    }

    fn ablation(&self, rows: &[AblationRow]) -> Table {
        let budgets = self.rows.iter().filter_map(|row| row.budget);
        let changes = budgets.map(|budget| format!("recall at {} h/day, points", budget.idle_budget_h));
        let header = std::iter::once("left out".to_owned()).chain(changes).collect();
        let row = |row: &AblationRow| {
            let changes = row.recall_change.iter().map(|change| format!("{:+.2}", change * 100.0));
            std::iter::once(format!("{:?}", row.left_out).to_lowercase()).chain(changes).collect()
        };
        aligned(header, rows.iter().map(row))
    }
}

/// Recall, precision, idle hours, wakes and manual wakes a day.
fn figures(score: &Score) -> [String; 5] {
    let precision = score.precision.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
    [
        format!("{:.3}", score.recall),
        precision,
        format!("{:.2}", score.idle_hours_per_day),
        format!("{:.2}", score.wakes_per_day),
        format!("{:.3}", score.manual_per_day),
    ]
}

fn aligned(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
