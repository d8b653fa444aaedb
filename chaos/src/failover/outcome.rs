//! What became of every wake, and how long every fault was felt.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Round;
use crate::{
    experiment::{Judgement, Verdict},
    oracle::Checked,
};

/// Neither taking over nor the first call may take longer, in seconds.
pub const GOAL_S: f64 = 10.0;

/// Judged at least once, or nothing is proved.
const REQUIRED: [&str; 3] = ["S4", "S5", "S6"];

#[derive(Debug, Clone, Default, Serialize)]
pub struct FailoverOutcome {
    /// Why nothing was done, where nothing could be.
    pub skipped: Option<String>,
    pub rounds_asked: u32,
    pub rounds: Vec<Round>,
    pub goal_s: f64,
    pub failover_s_max: Option<f64>,
    /// Until every host was called, at worst.
    pub all_hosts_s_max: Option<f64>,
    pub wall_s: f64,
    /// Wakes a controller said it had taken down.
    pub acknowledged: u64,
    /// Wakes the controllers know of.
    pub wakes: u64,
    pub by_end: BTreeMap<String, u64>,
    /// Calls accepted at the endpoints' sockets.
    pub calls: u64,
    /// Acknowledged wakes nobody knows of, or that have no end.
    pub lost: usize,
    pub lost_wakes: Vec<String>,
    /// Instances that were called a second time in their window.
    pub doubled: usize,
    pub doubled_instances: BTreeMap<String, usize>,
    /// Permits still held per host when every wake had its end.
    pub permits_left: BTreeMap<String, u32>,
    pub checked: Vec<Checked>,
    /// What was still not as before when time was up.
    pub not_recovered: Vec<String>,
    /// Tolerances that were left.
    pub deviations: Vec<String>,
    pub aborted: bool,
    pub verdict: Option<Verdict>,
}

impl FailoverOutcome {
    /// Nothing was done.
    pub fn of_nothing(why: String, rounds_asked: u32) -> Self {
        let skipped = Some(why);
        Self {
            skipped,
            rounds_asked,
            goal_s: GOAL_S,
            verdict: Some(Verdict::Inconclusive),
            ..Self::default()
        }
    }

    /// Fills in the maxima and what was missed, and judges.
    pub fn judge(&mut self) {
        let max =
            |of: fn(&Round) -> Option<f64>, rounds: &[Round]| rounds.iter().filter_map(of).reduce(f64::max);
        self.failover_s_max = max(|round| round.failover_s, &self.rounds);
        self.all_hosts_s_max = max(|round| round.all_hosts_s, &self.rounds);
        for round in &self.rounds {
            let each = [("the lease", round.failover_s), ("a call on every host", round.all_hosts_s)];
            for (what, seconds) in each {
                let at = format!("round {} ({})", round.round, round.fault);
                match seconds {
                    None => self.not_recovered.push(format!("{at}: {what} did not come")),
                    Some(seconds) if seconds > GOAL_S => {
                        self.deviations.push(format!("{at}: {what} took {seconds:.1} s, at most {GOAL_S} s"));
                    }
                    Some(_) => {}
                }
            }
        }
        let judged = Judgement {
            checked: &self.checked,
            required: &REQUIRED,
            deviations: &self.deviations,
            not_recovered: &self.not_recovered,
            aborted: self.aborted,
            ..Judgement::default()
        };
        let is_broken = self.lost > 0 || self.doubled > 0 || self.permits_left.values().any(|left| *left > 0);
        self.verdict = Some(match judged.verdict() {
            _ if is_broken => Verdict::Violated,
            Verdict::Held if self.rounds.len() < self.rounds_asked as usize => Verdict::Inconclusive,
            verdict => verdict,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::Fault;

    fn round() -> Round {
        Round {
            round: 1,
            fault: Fault::Kill,
            leader: "controller-a".into(),
            agents_of_leader: 4,
            new_leader: Some("controller-b".into()),
            failover_s: Some(4.6),
            first_call_s: Some(0.2),
            all_hosts_s: Some(6.0),
            steady_s: Some(1.0),
        }
    }

    fn verdict(change: impl FnOnce(&mut FailoverOutcome)) -> Verdict {
        let checked = REQUIRED.map(|id| Checked { checked: 3, ..Checked::new(id, "x") });
        let rounds = vec![round()];
        let mut outcome = FailoverOutcome {
            rounds_asked: 1,
            rounds,
            checked: checked.into(),
            ..FailoverOutcome::default()
        };
        change(&mut outcome);
        outcome.judge();
        assert!(!outcome.render().is_empty());
        outcome.verdict.expect("judged")
    }

    #[test]
    fn only_a_complete_run_in_time_without_a_loss_is_held() {
        assert_eq!(verdict(|_| {}), Verdict::Held);
        assert_eq!(verdict(|o| o.lost = 1), Verdict::Violated);
        assert_eq!(verdict(|o| o.doubled = 1), Verdict::Violated);
        assert_eq!(verdict(|o| o.permits_left.extend([("host-1".to_owned(), 1)])), Verdict::Violated);
        assert_eq!(verdict(|o| o.rounds[0].failover_s = Some(10.1)), Verdict::Deviated);
        assert_eq!(verdict(|o| o.rounds[0].all_hosts_s = Some(10.1)), Verdict::Deviated);
        assert_eq!(verdict(|o| o.rounds[0].failover_s = None), Verdict::NotRecovered);
        assert_eq!(verdict(|o| o.rounds[0].all_hosts_s = None), Verdict::NotRecovered);
        assert_eq!(verdict(|o| o.rounds_asked = 2), Verdict::Inconclusive);
        assert_eq!(verdict(|o| o.checked[1].checked = 0), Verdict::Inconclusive);
        assert_eq!(verdict(|o| o.aborted = true), Verdict::Aborted);
        let violation = crate::oracle::Violation { i: 1, text: "x".into(), chain: vec![1] };
        assert_eq!(verdict(|o| o.checked[2].violations.push(violation)), Verdict::Violated);
    }

    #[test]
    fn where_nothing_was_done_it_says_so_and_is_not_green() {
        let outcome = FailoverOutcome::of_nothing("no engine".into(), 20);
        assert_eq!(outcome.render(), "SKIPPED: 20 rounds of failover (no engine)\n");
        assert_eq!(outcome.verdict.map(Verdict::code), Some(20));
    }
}
