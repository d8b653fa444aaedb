//! What the bench found, as JSON and as a table.

use std::fmt;

use serde::Serialize;

use crate::report::STYLE;

/// What planning and asking cost at one size of the fleet, and how the tick grows with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForecastBench {
    pub instances: usize,
    /// Asleep: those were scored.
    pub asleep: usize,
    /// Of those, the ones that a first look told to be unlikely.
    pub unlikely: usize,
    /// Planned by the tick.
    pub wakes: usize,
    pub threads: usize,
    /// Of one planning tick: scoring and choosing.
    pub tick_s: f64,
    pub score_s: f64,
    pub plan_s: f64,
    /// Of a profile in memory; it holds no pointers.
    pub bytes_per_instance: usize,
    /// To read the bytes of all profiles once, with as many threads.
    pub stream_s: f64,
    /// `tick_s / stream_s`.
    pub ratio: f64,
    /// The same tick if it only counted days in a ring of hours, which weighs 90 bytes.
    pub peer_tick_s: f64,
    /// New sightings taken by one thread.
    pub visits_per_s: f64,
    /// 99 of 100 forecast queries take at most this.
    pub api_p99_ms: f64,
    /// Of the whole process; none where the kernel does not tell.
    pub resident_bytes_max: Option<u64>,
    pub scaling: Vec<ScalingRow>,
}

/// One size of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScalingRow {
    pub instances: usize,
    pub tick_s: f64,
    /// Of the profiles.
    pub bytes: u64,
}

impl fmt::Display for ForecastBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} instances, {} of them asleep, {} of those unlikely at a first look and the others scored, {} wakes planned, \
             {} threads",
            self.instances, self.asleep, self.unlikely, self.wakes, self.threads
        )?;
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE);
        table.set_header(["what", "measured"]);
        let resident = self.resident_bytes_max.map_or_else(|| "not told".to_owned(), mega);
        for (what, measured) in [
            ("a planning tick", format!("{} ({} scoring)", seconds(self.tick_s), seconds(self.score_s))),
            (
                "reading the same bytes once",
                format!("{} (tick: {:.1} x)", seconds(self.stream_s), self.ratio),
            ),
            ("a tick that only counts hours", seconds(self.peer_tick_s)),
            ("new sightings", format!("{:.2} million/s", self.visits_per_s / 1e6)),
            ("99 of 100 forecast queries", format!("within {:.1} ms", self.api_p99_ms)),
            ("a profile", format!("{} bytes", self.bytes_per_instance)),
            ("memory at most", resident),
        ] {
            table.add_row([what.to_owned(), measured]);
        }
        writeln!(f, "{table}")?;
        let mut scaling = comfy_table::Table::new();
        scaling.load_style(STYLE);
        scaling.set_header(["instances", "tick", "per instance", "profiles"]);
        for row in &self.scaling {
            scaling.add_row([
                row.instances.to_string(),
                seconds(row.tick_s),
                seconds(row.tick_s / row.instances.max(1) as f64),
                mega(row.bytes),
            ]);
        }
        for column in scaling.column_iter_mut() {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        writeln!(f, "{scaling}")
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1e-5 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-2 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}

fn mega(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_fitting_units() {
        assert_eq!([2e-7, 0.0042, 0.4321].map(seconds), ["200 ns", "4.20 ms", "0.432 s"]);
    }
}
