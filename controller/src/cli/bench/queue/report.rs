//! What the bench found, as JSON and as a table.

use std::fmt;

use serde::Serialize;

use crate::report::STYLE;

/// A row per database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueBench {
    pub hosts: u32,
    pub wakes: u32,
    pub backends: Vec<QueueRow>,
    /// What was not measured, and why.
    pub skipped: Vec<String>,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueRow {
    pub backend: &'static str,
    /// From due to sent, all committed.
    pub decisions_per_s: f64,
    /// Of the usual job loop on PostgreSQL in the same run; none where there is no server.
    pub skip_locked_per_s: Option<f64>,
    pub skip_locked_workers: Option<u32>,
    /// `decisions_per_s / skip_locked_per_s`.
    pub ratio: Option<f64>,
    /// Of wakes that come due one after the other.
    pub due_to_sent_p50_ms: f64,
    pub due_to_sent_p99_ms: f64,
    /// To read the whole queue at a start.
    pub load_s: f64,
}

impl fmt::Display for QueueBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} wakes due at once on {} hosts; every decision is on disk before it is sent",
            self.wakes, self.hosts
        )?;
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE);
        table.set_header([
            "database",
            "decisions/s",
            "SKIP LOCKED/s",
            "ratio",
            "due to sent p50",
            "p99",
            "queue read in",
        ]);
        for row in &self.backends {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            table.add_row([
                row.backend.to_owned(),
                format!("{:.0}", row.decisions_per_s),
                or_dash(row.skip_locked_per_s.map(|rate| {
                    format!("{rate:.0} ({} workers)", row.skip_locked_workers.unwrap_or_default())
                })),
                or_dash(row.ratio.map(|ratio| format!("{ratio:.1}"))),
                format!("{:.0} ms", row.due_to_sent_p50_ms),
                format!("{:.0} ms", row.due_to_sent_p99_ms),
                format!("{:.2} s", row.load_s),
            ]);
        }
        writeln!(f, "{table}")?;
        self.skipped.iter().try_for_each(|line| writeln!(f, "SKIPPED: {line}"))
    }
}
