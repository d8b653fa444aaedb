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
    let (open, next) = open_part(ladder, evidence);
    let next = next.map(wants);
    match open.last() {
        Some(rung) => Unlocked { rung: rung.rung, mode: rung.mode, scope: rung.scope.clone(), next },
        None => Unlocked { rung: 0, mode: RunMode::Sim, scope: Scope::default(), next },
    }
}

/// The highest open rung that is run in `mode`, or the one of them that is asked for; in words what is waited for where it is not
/// open. Without a ladder the file is its own only rung.
///
/// # Errors
/// When none is open.
pub fn unlocked_in(
    ladder: &[Rung],
    evidence: &Evidence,
    mode: RunMode,
    asked: Option<u64>,
) -> Result<Unlocked, String> {
    let is_meant = |rung: &&Rung| rung.mode == mode && asked.is_none_or(|asked| rung.rung == asked);
    let whole = Unlocked { rung: 0, mode, scope: Scope::default(), next: None };
    if ladder.is_empty() {
        return Ok(whole);
    }
    let (open, next) = open_part(ladder, evidence);
    let next = next.map(|rung| waits(rung, evidence));
    match open.iter().rfind(is_meant) {
        Some(rung) => Ok(Unlocked { rung: rung.rung, scope: rung.scope.clone(), next, ..whole }),
        None if ladder.iter().any(|rung| is_meant(&rung)) => Err(next.unwrap_or_default()),
        None => {
            let which = asked.map_or_else(|| "no rung".to_owned(), |asked| format!("no rung {asked}"));
            Err(format!("{which} of its ladder is in mode {}", mode.name()))
        }
    }
}

/// The rungs up to the first that is not open, and that one.
fn open_part<'a>(ladder: &'a [Rung], evidence: &Evidence) -> (&'a [Rung], Option<&'a Rung>) {
    let open = ladder.iter().take_while(|rung| is_open(rung, evidence)).count();
    (&ladder[..open], ladder.get(open))
}

/// What it wants, and how far that is.
fn waits(rung: &Rung, evidence: &Evidence) -> String {
    let held = rung.requires.as_ref().and_then(|requires| evidence.held.get(&requires.rung));
    format!("{}; it has held {} times", wants(rung), held.copied().unwrap_or_default())
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

    #[test]
    fn in_a_mode_the_highest_open_rung_of_it_is_taken_and_what_is_not_open_says_what_it_waits_for() {
        let mut ladder = ladder();
        let wider =
            Rung { rung: 1, scope: Scope { share: Some(0.9), ..Scope::default() }, ..ladder[1].clone() };
        ladder.insert(2, Rung { rung: 2, ..wider });
        ladder[3].rung = 3;
        let at = |held: u64, mode, asked| {
            let evidence = Evidence { held: [(0, held)].into(), approved: true };
            unlocked_in(&ladder, &evidence, mode, asked).map(|open| (open.rung, open.mode, open.scope.share))
        };
        assert_eq!(at(0, RunMode::Sim, None), Ok((0, RunMode::Sim, Some(1.0))));
        assert_eq!(at(20, RunMode::Local, None), Ok((2, RunMode::Local, Some(0.9))));
        assert_eq!(at(20, RunMode::Local, Some(1)), Ok((1, RunMode::Local, Some(0.5))));
        assert_eq!(at(20, RunMode::Sim, None), Ok((0, RunMode::Sim, Some(1.0))));
        let shut = at(7, RunMode::Local, None).expect_err("not open");
        assert_eq!(shut, "rung 1 (local) waits until rung 0 has held 20 times; it has held 7 times");
        assert!(at(20, RunMode::Live, None).expect_err("not open").starts_with("rung 3 (live) waits"));
        let none = at(20, RunMode::Container, None).expect_err("there is none");
        assert_eq!(none, "no rung of its ladder is in mode container");
        assert_eq!(at(20, RunMode::Sim, Some(1)).unwrap_err(), "no rung 1 of its ladder is in mode sim");
        let whole = unlocked_in(&[], &Evidence::default(), RunMode::Local, None).expect("its own only rung");
        assert_eq!((whole.rung, whole.mode, whole.next), (0, RunMode::Local, None));
    }
}
