//! The verdicts, their published exit codes, and which one wins.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::{fault::FaultProof, oracle::Checked};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All invariants held, and the faults were proven.
    Held,
    /// A tolerance was left: for one, a host was above its ceiling for too long.
    Deviated,
    /// An invariant was violated.
    Violated,
    /// The world did not find back after the fault.
    NotRecovered,
    /// A fault that nobody hit, or a history in which nothing was judged. Never green.
    Inconclusive,
    /// Stopped by a guard or by the person who ran it.
    Aborted,
    /// The proving ground itself failed.
    Error,
    /// The experiment is not one.
    InvalidFile,
}

impl Verdict {
    /// As reports have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Deviated => "deviated",
            Self::Violated => "violated",
            Self::NotRecovered => "not recovered",
            Self::Inconclusive => "inconclusive",
            Self::Aborted => "aborted",
            Self::Error => "error",
            Self::InvalidFile => "invalid file",
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Deviated => 10,
            Self::Violated => 11,
            Self::NotRecovered => 12,
            Self::Inconclusive => 20,
            Self::Aborted => 30,
            Self::InvalidFile => 64,
            Self::Error => 70,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}

/// What a verdict is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judgement<'a> {
    pub checked: &'a [Checked],
    pub faults: &'a [FaultProof],
    /// Invariants of which at least one case must have been judged.
    pub required: &'a [&'static str],
    /// In words, each tolerance that was left.
    pub deviations: &'a [String],
    /// In words, what was still not as before when time was up.
    pub not_recovered: &'a [String],
    pub aborted: bool,
}

impl Judgement<'_> {
    /// A violated invariant wins over everything; what proves nothing is never held.
    pub fn verdict(&self) -> Verdict {
        let unproven = self.faults.iter().any(|fault| fault.hits == 0);
        let empty = self.checked.iter().any(|one| one.checked == 0 && self.required.contains(&one.id));
        if self.checked.iter().any(|one| !one.violations.is_empty()) {
            Verdict::Violated
        } else if self.aborted {
            Verdict::Aborted
        } else if unproven || empty {
            Verdict::Inconclusive
        } else if self.faults.iter().any(|fault| fault.on) || !self.not_recovered.is_empty() {
            Verdict::NotRecovered
        } else if !self.deviations.is_empty() {
            Verdict::Deviated
        } else {
            Verdict::Held
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Violation;

    fn checked(count: u64, violations: usize) -> Checked {
        let violation = Violation { i: 1, text: "x".into(), chain: vec![1] };
        Checked { checked: count, violations: vec![violation; violations], ..Checked::new("S1", "x") }
    }

    fn fault(hits: u64, on: bool) -> FaultProof {
        FaultProof { kind: "x", from_s: 0, until_s: 1, hits, opportunities: hits, on }
    }

    #[test]
    fn the_gravest_finding_wins() {
        let deviations = ["hot".to_owned()];
        let (held, violated, empty) = ([checked(5, 0)], [checked(5, 1)], [checked(0, 0)]);
        let (proven, unproven, stuck) = ([fault(3, false)], [fault(0, false)], [fault(3, true)]);
        let base = Judgement { checked: &held, faults: &proven, required: &["S1"], ..Judgement::default() };
        assert_eq!(base.verdict(), Verdict::Held);
        assert_eq!(Judgement { deviations: &deviations, ..base }.verdict(), Verdict::Deviated);
        assert_eq!(
            Judgement { faults: &stuck, deviations: &deviations, ..base }.verdict(),
            Verdict::NotRecovered
        );
        assert_eq!(
            Judgement { faults: &unproven, deviations: &deviations, ..base }.verdict(),
            Verdict::Inconclusive
        );
        assert_eq!(Judgement { checked: &empty, ..base }.verdict(), Verdict::Inconclusive);
        assert_eq!(Judgement { aborted: true, faults: &unproven, ..base }.verdict(), Verdict::Aborted);
        assert_eq!(Judgement { checked: &violated, aborted: true, ..base }.verdict(), Verdict::Violated);
    }

    #[test]
    fn exit_codes_are_the_published_ones() {
        use Verdict::{Aborted, Deviated, Error, Held, Inconclusive, InvalidFile, NotRecovered, Violated};
        let all = [Held, Deviated, Violated, NotRecovered, Inconclusive, Aborted, InvalidFile, Error];
        assert_eq!(all.map(Verdict::code), [0, 10, 11, 12, 20, 30, 64, 70]);
    }
}
