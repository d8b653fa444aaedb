//! The ladder: which rung is open, given what held before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::experiment::file::{RunMode, Rung, Scope};

/// What earlier runs of the same experiment proved: how often each rung held, and whether a person approved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    pub held: BTreeMap<u64, u64>,
    pub approved: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unlocked {
    pub rung: u64,
    pub mode: RunMode,
    pub scope: Scope,
    /// In words, what the next rung waits for; `None` at the top.
    pub next: Option<String>,
}

/// The highest open rung: each rung up to it is open, so a gap cannot be jumped. Without a ladder it is the simulation.
pub fn unlocked(ladder: &[Rung], evidence: &Evidence) -> Unlocked {
    let open = ladder.iter().take_while(|rung| is_open(rung, evidence)).count();
    let next = ladder.get(open).map(wants);
    match open.checked_sub(1).and_then(|last| ladder.get(last)) {
        Some(rung) => Unlocked { rung: rung.rung, mode: rung.mode, scope: rung.scope.clone(), next },
        None => Unlocked { rung: 0, mode: RunMode::Sim, scope: Scope::default(), next },
    }
}

fn is_open(rung: &Rung, evidence: &Evidence) -> bool {
    rung.requires.as_ref().is_none_or(|requires| {
        let held = evidence.held.get(&requires.rung).copied().unwrap_or_default();
        held >= requires.held && (requires.approval.is_none() || evidence.approved)
    })
}

fn wants(rung: &Rung) -> String {
    let Some(requires) = &rung.requires else { return format!("rung {}", rung.rung) };
    let approval = if requires.approval.is_some() { " and a person's approval" } else { "" };
    format!(
        "rung {} ({}) waits until rung {} has held {} times{approval}",
        rung.rung,
        rung.mode.name(),
        requires.rung,
        requires.held
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Vec<Rung> {
        serde_json::from_str(
            r#"[{"rung": 0, "mode": "sim", "scope": {"share": 1.0}},
                {"rung": 1, "mode": "local", "scope": {"share": 0.5}, "requires": {"rung": 0, "held": 20}},
                {"rung": 2, "mode": "live", "scope": {"hosts": 1},
                 "requires": {"rung": 1, "held": 3, "approval": "human"}}]"#,
        )
        .unwrap()
    }

    fn open(held: &[(u64, u64)], approved: bool) -> u64 {
        unlocked(&ladder(), &Evidence { held: held.iter().copied().collect(), approved }).rung
    }

    #[test]
    fn a_rung_is_unlocked_by_evidence_and_by_nothing_else() {
        assert_eq!(open(&[], true), 0);
        assert_eq!(open(&[(0, 19)], false), 0);
        assert_eq!(open(&[(0, 20)], false), 1);
        assert_eq!(open(&[(1, 3)], true), 0, "a gap cannot be jumped");
        assert_eq!(open(&[(0, 20), (1, 3)], false), 1, "a person has not approved");
        assert_eq!(open(&[(0, 20), (1, 3)], true), 2);
    }

    #[test]
    fn without_a_ladder_there_is_the_simulation_only() {
        assert_eq!(unlocked(&[], &Evidence::default()).mode, RunMode::Sim);
        let at_first = unlocked(&ladder(), &Evidence::default());
        assert!(at_first.next.unwrap().contains("rung 0 has held 20 times"));
    }
}
