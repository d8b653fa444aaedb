//! What became of every wake.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table};
use reveille_controller::report::STYLE;
use serde::Serialize;

use crate::{experiment::Verdict, oracle::Violation};

#[derive(Debug, Clone, Serialize)]
pub struct CrashOutcome {
    pub seed: u64,
    pub wall_s: f64,
    /// Kills by process.
    pub kills: BTreeMap<String, u64>,
    /// Kills that were meant; fewer happened when the wakes were over before.
    pub kills_asked: u32,
    /// Kills just before which a wake was seen in progress.
    pub kills_under_load: u64,
    pub instances: u32,
    /// Wakes the controller knows of.
    pub wakes: u64,
    pub by_end: BTreeMap<String, u64>,
    /// Instances nobody took down a wake for.
    pub without_wake: Vec<String>,
    /// Wakes without an end when time was up.
    pub without_end: Vec<String>,
    /// Ends that were seen to change.
    pub changed_ends: Vec<Violation>,
    /// Calls accepted at the endpoints' sockets.
    pub calls: u64,
    /// Instances that got a second one.
    pub called_twice: BTreeMap<String, usize>,
    /// Permits still held per host when every wake had its end.
    pub permits_left: BTreeMap<String, u32>,
    pub verdict: Verdict,
}

impl CrashOutcome {
    /// Held only when every kill happened and nothing was lost, doubled or leaked.
    pub fn judge(&mut self) {
        let killed: u64 = self.kills.values().sum();
        let broken = !self.changed_ends.is_empty()
            || !self.called_twice.is_empty()
            || !self.without_end.is_empty()
            || !self.without_wake.is_empty()
            || self.permits_left.values().any(|left| *left > 0);
        self.verdict = if broken {
            Verdict::Violated
        } else if killed < u64::from(self.kills_asked) || self.kills_under_load == 0 || self.calls == 0 {
            Verdict::Inconclusive
        } else {
            Verdict::Held
        };
    }

    pub fn render(&self) -> String {
        let counts = |counts: &BTreeMap<String, u64>| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        let mut table = Table::new();
        table.load_style(STYLE).set_header(["kill -9 under load", ""]);
        let killed: u64 = self.kills.values().sum();
        let permits: u32 = self.permits_left.values().sum();
        table.add_row([
            "kills".to_owned(),
            format!("{killed} of {} ({})", self.kills_asked, counts(&self.kills)),
        ]);
        table.add_row(["  with wakes in progress".to_owned(), self.kills_under_load.to_string()]);
        table.add_row(["instances asked for".to_owned(), self.instances.to_string()]);
        table.add_row(["wakes".to_owned(), format!("{} ({})", self.wakes, counts(&self.by_end))]);
        table.add_row(["without a wake".to_owned(), self.without_wake.len().to_string()]);
        table.add_row(["without an end".to_owned(), self.without_end.len().to_string()]);
        table.add_row(["ends that changed".to_owned(), self.changed_ends.len().to_string()]);
        table.add_row(["calls accepted".to_owned(), self.calls.to_string()]);
        table.add_row(["instances called twice".to_owned(), self.called_twice.len().to_string()]);
        table.add_row(["permits left".to_owned(), permits.to_string()]);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let seconds = self.wall_s;
        format!("{table}\nseed {}, {seconds:.0} s, verdict: {:?}\n", self.seed, self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> CrashOutcome {
        CrashOutcome {
            seed: 1,
            wall_s: 1.0,
            kills: BTreeMap::from([("controller".into(), 3)]),
            kills_asked: 3,
            kills_under_load: 2,
            instances: 2,
            wakes: 2,
            by_end: BTreeMap::from([("woken".into(), 2)]),
            without_wake: Vec::new(),
            without_end: Vec::new(),
            changed_ends: Vec::new(),
            calls: 2,
            called_twice: BTreeMap::new(),
            permits_left: BTreeMap::from([("host-1".into(), 0)]),
            verdict: Verdict::Error,
        }
    }

    fn verdict(change: impl FnOnce(&mut CrashOutcome)) -> Verdict {
        let mut outcome = outcome();
        change(&mut outcome);
        outcome.judge();
        outcome.verdict
    }

    #[test]
    fn only_a_clean_and_complete_run_is_held() {
        assert_eq!(verdict(|_| {}), Verdict::Held);
        assert_eq!(verdict(|o| o.kills_asked = 4), Verdict::Inconclusive);
        assert_eq!(verdict(|o| o.calls = 0), Verdict::Inconclusive);
        assert_eq!(verdict(|o| o.kills_under_load = 0), Verdict::Inconclusive);
        assert_eq!(verdict(|o| o.called_twice.extend([("dev001".to_owned(), 2)])), Verdict::Violated);
        assert_eq!(verdict(|o| o.permits_left.extend([("host-1".to_owned(), 1)])), Verdict::Violated);
        assert_eq!(verdict(|o| o.without_end.push("w".into())), Verdict::Violated);
        assert_eq!(verdict(|o| o.without_wake.push("dev001".into())), Verdict::Violated);
    }
}
