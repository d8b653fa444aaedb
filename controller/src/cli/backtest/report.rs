//! What a backtest found, as JSON and as a table.

use std::{fmt, path::PathBuf};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::trace::RejectedRow;
use crate::report::{STYLE, backtest::Score};

/// One rule and what it would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub rule: String,
    #[serde(flatten)]
    pub score: Score,
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
        writeln!(f, "{}", self.table())?;
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
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(["rule", "recall", "precision", "idle h/day", "wakes/day", "manual/day"]);
        for Row { rule, score } in &self.rows {
            let precision = score.precision.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
            table.add_row([
                rule.clone(),
                format!("{:.3}", score.recall),
                precision,
                format!("{:.2}", score.idle_hours_per_day),
                format!("{:.2}", score.wakes_per_day),
                format!("{:.3}", score.manual_per_day),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
