//! What the bench found, as JSON and as a table.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table};
use reveille_controller::report::STYLE;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// What is asked.
const CPU_CORES_MAX: f64 = 0.25;
const BYTES_PER_AGENT_MAX: f64 = 48_000.0;
const RECONNECT_MAX_S: f64 = 30.0;
/// "Flat": what the last minute may be above the first one. CPU varies by the hundredth of a core.
const CPU_GROWTH_MAX: f64 = 0.05;
const RESIDENT_GROWTH_MAX: f64 = 1.05;
/// "No thundering herd": hellos of all that have to say one, and the share of them in any one second.
const HELLOS_PER_AGENT_MAX: f64 = 1.5;
const HELLOS_PER_S_SHARE_MAX: f64 = 0.5;
/// "Goes on taking reports": of those that are sent.
const LOADS_SHARE_MIN: f64 = 0.95;

/// One minute of reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    pub cpu_cores: f64,
    /// At its end.
    pub resident_bytes: u64,
}

/// From the kill -9 on, until all were back and ten seconds more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// `None` when not all came back.
    pub reconnect_s: Option<f64>,
    pub hellos: u64,
    pub hellos_per_s_max: u64,
    pub welcomes_per_s_max: u64,
    /// Connections that were not had.
    pub not_dialled: u64,
    /// Hellos refused or not answered.
    pub not_welcomed: u64,
}

/// While every process of the database was stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hang {
    pub lasted_s: f64,
    /// Taken by the controller, by its own count.
    pub loads_per_s: f64,
    /// In that time and the ten seconds after.
    pub sessions_lost: u64,
    pub connected_after: u64,
}

/// What the same agents cost where the link speaks TLS; nothing is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WithTls {
    pub controller_cpu_cores: f64,
    pub bytes_per_agent: f64,
    pub reconnect_s: Option<f64>,
    /// While nothing was done to them.
    pub sessions_lost: u64,
}

impl WithTls {
    pub(super) fn new(agents: u32, idle_bytes: u64, minutes: &[Minute], restart: Restart, lost: u64) -> Self {
        Self {
            controller_cpu_cores: cpu_cores(minutes),
            bytes_per_agent: bytes_per_agent(minutes, idle_bytes, agents),
            reconnect_s: restart.reconnect_s,
            sessions_lost: lost,
        }
    }
}

/// Of the controller, over all minutes.
fn cpu_cores(minutes: &[Minute]) -> f64 {
    minutes.iter().map(|minute| minute.cpu_cores).sum::<f64>() / minutes.len().max(1) as f64
}

/// What is resident at the end beyond what was before any agent.
fn bytes_per_agent(minutes: &[Minute], idle_bytes: u64, agents: u32) -> f64 {
    let end = minutes.last().map_or(0, |minute| minute.resident_bytes);
    end.saturating_sub(idle_bytes) as f64 / f64::from(agents)
}

#[derive(Debug, Clone, PartialEq)]
pub struct FleetBench {
    pub agents: u32,
    pub instances_per_agent: u32,
    pub database: &'static str,
    /// The first connecting, which is spread over 20 s.
    pub connect_s: f64,
    /// Of the controller, before any agent.
    pub idle_resident_bytes: u64,
    pub minutes: Vec<Minute>,
    /// Said by the agents.
    pub loads_per_s: f64,
    pub loads_coalesced: u64,
    pub broken_while_measured: u64,
    pub agents_cpu_cores: f64,
    pub restart: Restart,
    pub hang: Option<Hang>,
    /// The same with TLS.
    pub tls: Option<WithTls>,
    pub skipped: Vec<String>,
}

impl FleetBench {
    /// Of the controller, over all minutes.
    pub fn controller_cpu_cores(&self) -> f64 {
        cpu_cores(&self.minutes)
    }

    /// What is resident at the end beyond what was before any agent.
    pub fn bytes_per_agent(&self) -> f64 {
        bytes_per_agent(&self.minutes, self.idle_resident_bytes, self.agents)
    }

    /// What was not reached, in words.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut asked = |is_kept: bool, what: String| {
            if !is_kept {
                missed.push(what);
            }
        };
        let (cpu, bytes) = (self.controller_cpu_cores(), self.bytes_per_agent());
        asked(
            cpu <= CPU_CORES_MAX,
            format!("{:.1} % of a core, at most {:.0} % is asked", 100.0 * cpu, 100.0 * CPU_CORES_MAX),
        );
        asked(
            bytes <= BYTES_PER_AGENT_MAX,
            format!(
                "{:.1} kB per agent, at most {:.0} kB is asked",
                bytes / 1000.0,
                BYTES_PER_AGENT_MAX / 1000.0
            ),
        );
        if let [first, .., last] = self.minutes[..] {
            asked(
                last.cpu_cores - first.cpu_cores <= CPU_GROWTH_MAX,
                format!("CPU grew from {:.3} to {:.3} cores", first.cpu_cores, last.cpu_cores),
            );
            asked(
                last.resident_bytes as f64 <= RESIDENT_GROWTH_MAX * first.resident_bytes as f64,
                format!(
                    "resident memory grew from {} to {}",
                    mb(first.resident_bytes),
                    mb(last.resident_bytes)
                ),
            );
        }
        let broken = self.broken_while_measured;
        asked(broken == 0, format!("{broken} sessions broke while nothing was done to them"));
        self.missed_back(&mut asked);
        if let Some(hang) = &self.hang {
            asked(
                hang.sessions_lost == 0,
                format!("{} sessions were lost while the database hung", hang.sessions_lost),
            );
            asked(
                hang.loads_per_s >= LOADS_SHARE_MIN * f64::from(self.agents),
                format!("only {:.0} reports a second were taken while the database hung", hang.loads_per_s),
            );
        }
        missed
    }

    fn missed_back(&self, asked: &mut impl FnMut(bool, String)) {
        let (restart, agents) = (&self.restart, f64::from(self.agents));
        let said = restart.reconnect_s.map_or_else(
            || "not all agents came back after the restart".to_owned(),
            |s| format!("{s:.1} s until all agents were back, at most {RECONNECT_MAX_S:.0} s is asked"),
        );
        asked(restart.reconnect_s.is_some_and(|s| s <= RECONNECT_MAX_S), said);
        asked(
            restart.hellos as f64 <= HELLOS_PER_AGENT_MAX * agents,
            format!("{} hellos of {} agents until all were back", restart.hellos, self.agents),
        );
        asked(
            restart.hellos_per_s_max as f64 <= HELLOS_PER_S_SHARE_MAX * agents,
            format!("a herd: {} hellos in one second", restart.hellos_per_s_max),
        );
    }

    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(["", "measured", "asked"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in self.rows() {
            table.add_row(row);
        }
        let mut text = format!(
            "{} agents, a report a second each with {} instances in it; database: {}\n{table}\n",
            self.agents, self.instances_per_agent, self.database
        );
        for (n, minute) in self.minutes.iter().enumerate() {
            let (cpu, resident) = (minute.cpu_cores, mb(minute.resident_bytes));
            writeln!(text, "  minute {:>2}: {cpu:.3} cores, {resident} resident", n + 1).ok();
        }
        for one in &self.skipped {
            writeln!(text, "- SKIPPED: {one}").ok();
        }
        for one in self.missed() {
            writeln!(text, "! not reached: {one}").ok();
        }
        text
    }

    fn rows(&self) -> Vec<[String; 3]> {
        let Restart { reconnect_s, hellos, hellos_per_s_max, welcomes_per_s_max, .. } = self.restart;
        let agents = f64::from(self.agents);
        let row = |what: &str, measured: String, asked: String| [what.to_owned(), measured, asked];
        let none = String::new;
        let mut rows = vec![
            row("reports a second", format!("{:.0}", self.loads_per_s), none()),
            row(
                "controller CPU, cores",
                format!("{:.3}", self.controller_cpu_cores()),
                format!("{CPU_CORES_MAX}"),
            ),
            row("resident, no agent", mb(self.idle_resident_bytes), none()),
            row(
                "resident per agent",
                format!("{:.1} kB", self.bytes_per_agent() / 1000.0),
                format!("{:.0} kB", BYTES_PER_AGENT_MAX / 1000.0),
            ),
            row("all connected at first", format!("{:.1} s", self.connect_s), none()),
            row(
                "all back after kill -9",
                reconnect_s.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s")),
                format!("{RECONNECT_MAX_S:.0} s"),
            ),
            row("  hellos said", hellos.to_string(), format!("{:.0}", HELLOS_PER_AGENT_MAX * agents)),
            row(
                "  hellos in one second",
                hellos_per_s_max.to_string(),
                format!("{:.0}", HELLOS_PER_S_SHARE_MAX * agents),
            ),
            row("  welcomes in one second", welcomes_per_s_max.to_string(), none()),
        ];
        if let Some(hang) = &self.hang {
            let what = format!("sessions lost, database hung {:.0} s", hang.lasted_s);
            rows.push(row(&what, hang.sessions_lost.to_string(), "0".into()));
            let asked = format!("{:.0}", LOADS_SHARE_MIN * agents);
            rows.push(row("  reports taken a second", format!("{:.0}", hang.loads_per_s), asked));
        }
        if let Some(tls) = &self.tls {
            let back = tls.reconnect_s.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s"));
            rows.push(row("with TLS: CPU, cores", format!("{:.3}", tls.controller_cpu_cores), none()));
            rows.push(row("  resident per agent", format!("{:.1} kB", tls.bytes_per_agent / 1000.0), none()));
            rows.push(row("  all back after kill -9", back, none()));
            rows.push(row("  sessions lost", tls.sessions_lost.to_string(), none()));
        }
        rows
    }
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

impl Serialize for FleetBench {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("agents", &self.agents)?;
        map.serialize_entry("controller_cpu_cores", &self.controller_cpu_cores())?;
        map.serialize_entry("bytes_per_agent", &self.bytes_per_agent())?;
        map.serialize_entry("reconnect_s", &self.restart.reconnect_s)?;
        map.serialize_entry("sessions_lost", &self.hang.map(|hang| hang.sessions_lost))?;
        map.serialize_entry("instances_per_agent", &self.instances_per_agent)?;
        map.serialize_entry("database", &self.database)?;
        map.serialize_entry("loads_per_s", &self.loads_per_s)?;
        map.serialize_entry("loads_coalesced", &self.loads_coalesced)?;
        map.serialize_entry("broken_while_measured", &self.broken_while_measured)?;
        map.serialize_entry("agents_cpu_cores", &self.agents_cpu_cores)?;
        map.serialize_entry("resident_idle_bytes", &self.idle_resident_bytes)?;
        let by_minute: Vec<_> = self.minutes.iter().map(|minute| minute.cpu_cores).collect();
        map.serialize_entry("cpu_cores_by_minute", &by_minute)?;
        let by_minute: Vec<_> = self.minutes.iter().map(|minute| minute.resident_bytes).collect();
        map.serialize_entry("resident_bytes_by_minute", &by_minute)?;
        map.serialize_entry("connect_s", &self.connect_s)?;
        map.serialize_entry("hellos_after_restart", &self.restart.hellos)?;
        map.serialize_entry("hellos_per_s_max", &self.restart.hellos_per_s_max)?;
        map.serialize_entry("welcomes_per_s_max", &self.restart.welcomes_per_s_max)?;
        map.serialize_entry("not_dialled", &self.restart.not_dialled)?;
        map.serialize_entry("not_welcomed", &self.restart.not_welcomed)?;
        map.serialize_entry("hang_s", &self.hang.map(|hang| hang.lasted_s))?;
        map.serialize_entry("hang_loads_per_s", &self.hang.map(|hang| hang.loads_per_s))?;
        map.serialize_entry("hang_connected_after", &self.hang.map(|hang| hang.connected_after))?;
        map.serialize_entry("tls", &self.tls)?;
        map.serialize_entry("skipped", &self.skipped)?;
        map.serialize_entry("missed", &self.missed())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> FleetBench {
        let minute = Minute { cpu_cores: 0.2, resident_bytes: 240_000_000 };
        FleetBench {
            agents: 5000,
            instances_per_agent: 20,
            database: "postgres",
            connect_s: 21.0,
            idle_resident_bytes: 20_000_000,
            minutes: vec![minute; 3],
            loads_per_s: 5000.0,
            loads_coalesced: 0,
            broken_while_measured: 0,
            agents_cpu_cores: 0.4,
            restart: Restart {
                reconnect_s: Some(8.0),
                hellos: 5000,
                hellos_per_s_max: 900,
                welcomes_per_s_max: 850,
                not_dialled: 6000,
                not_welcomed: 0,
            },
            hang: Some(Hang { lasted_s: 60.0, loads_per_s: 4999.0, sessions_lost: 0, connected_after: 5000 }),
            tls: None,
            skipped: Vec::new(),
        }
    }

    #[test]
    fn what_is_within_its_limits_is_not_missed() {
        let bench = held();
        assert_eq!(bench.missed(), Vec::<String>::new());
        assert!((bench.controller_cpu_cores() - 0.2).abs() < 1e-9);
        assert!((bench.bytes_per_agent() - 44_000.0).abs() < 1e-9);
        let json = serde_json::to_value(&bench).expect("JSON");
        for key in ["agents", "controller_cpu_cores", "bytes_per_agent", "reconnect_s", "sessions_lost"] {
            assert!(json[key].is_number(), "{key} in {json}");
        }
        assert!(json["tls"].is_null(), "{json}");
        assert_eq!(json["cpu_cores_by_minute"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn everything_that_is_missed_is_said() {
        let mut bench = held();
        bench.minutes[2] = Minute { cpu_cores: 0.9, resident_bytes: 900_000_000 };
        bench.broken_while_measured = 1;
        bench.restart.reconnect_s = None;
        (bench.restart.hellos, bench.restart.hellos_per_s_max) = (9000, 4000);
        bench.hang =
            Some(Hang { lasted_s: 60.0, loads_per_s: 10.0, sessions_lost: 7, connected_after: 4993 });
        assert_eq!(bench.missed().len(), 10, "{:#?}", bench.missed());
        assert!(bench.render().contains("not reached: 7 sessions were lost"), "{}", bench.render());
    }

    #[test]
    fn what_was_not_measured_is_null_and_said() {
        let bench = FleetBench { hang: None, skipped: vec!["the hanging database".into()], ..held() };
        assert!(bench.missed().is_empty());
        assert!(serde_json::to_value(&bench).expect("JSON")["sessions_lost"].is_null());
        assert!(bench.render().contains("SKIPPED: the hanging database"));
    }
}
