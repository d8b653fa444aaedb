//! What the bench found, as JSON and as a table.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table};
use reveille_controller::report::STYLE;
use serde::Serialize;

/// How one way of starting them went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostRow {
    pub policy: &'static str,
    /// From the wish until the last instance served.
    pub makespan_s: f64,
    /// Work by the cores that the ceiling and the background left, on average.
    pub ideal_s: f64,
    /// `makespan_s / ideal_s`.
    pub ratio: f64,
    /// Of the seconds, by /proc/stat.
    pub seconds_within_ceiling_share: f64,
    pub cpu_mean_percent: f64,
    pub cpu_max_percent: f64,
    pub background_cores: f64,
    /// What the machine's own host gave to others: used, by /proc/stat, and part of neither work nor background.
    pub stolen_cores: f64,
    /// CPU of each second in turn.
    pub cpu_percent: Vec<f64>,
}

/// Ours, and the others in the same run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostBench {
    pub cores: u32,
    pub instances: u16,
    pub work_core_s: f64,
    pub cpu_ceiling_percent: f64,
    #[serde(flatten)]
    pub reveille: HostRow,
    /// What our controller and agent used themselves.
    pub own_cores: f64,
    pub peers: Vec<HostRow>,
    /// Why the starts were not held back by a CPU group, where they were not.
    pub uncapped: Option<String>,
}

/// What is asked of ours.
const RATIO_MAX: f64 = 1.25;
const WITHIN_MIN: f64 = 0.98;

impl HostBench {
    /// What was not reached, in words.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if self.reveille.ratio > RATIO_MAX {
            missed.push(format!("{:.2} times the ideal, at most {RATIO_MAX} is asked", self.reveille.ratio));
        }
        if self.reveille.seconds_within_ceiling_share < WITHIN_MIN {
            missed.push(format!(
                "{:.1} % of the seconds within the ceiling, at least {:.0} % is asked",
                100.0 * self.reveille.seconds_within_ceiling_share,
                100.0 * WITHIN_MIN
            ));
        }
        missed
    }

    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header([
            "",
            "makespan",
            "ideal",
            "ratio",
            "within the ceiling",
            "CPU on average",
            "at most",
            "background",
            "stolen",
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in std::iter::once(&self.reveille).chain(&self.peers) {
            table.add_row([
                row.policy.to_owned(),
                format!("{:.0} s", row.makespan_s),
                format!("{:.0} s", row.ideal_s),
                format!("{:.2}", row.ratio),
                format!("{:.1} %", 100.0 * row.seconds_within_ceiling_share),
                format!("{:.1} %", row.cpu_mean_percent),
                format!("{:.1} %", row.cpu_max_percent),
                format!("{:.2} cores", row.background_cores),
                format!("{:.2} cores", row.stolen_cores),
            ]);
        }
        let mut text = format!(
            "{} instances of {:.0} core-seconds on {} cores, ceiling {:.0} %; background on from a quarter served to three \
             quarters\n{table}\ncontroller and agent themselves used {:.2} cores\n",
            self.instances, self.work_core_s, self.cores, self.cpu_ceiling_percent, self.own_cores
        );
        if let Some(why) = &self.uncapped {
            writeln!(text, "! starts were not held back by a CPU group: {why}").ok();
        }
        for one in self.missed() {
            writeln!(text, "! not reached: {one}").ok();
        }
        text
    }
}
