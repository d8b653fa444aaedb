//! A sweep as `JUnit` XML, for CI: a test case for each seed.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::Sweep;
use crate::experiment::Verdict;

const SUITE: &str = "reveille-chaos sim";

/// Seeds that held, those that did not with the reason and how to see them again, and whether seeds were histories.
pub fn junit(sweep: &Sweep) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(SUITE);
    suite.set_time(Duration::from_secs_f64(sweep.wall_s));
    for played in &sweep.played {
        let mut status = TestCaseStatus::success();
        if let Some(failing) = sweep.failing.iter().find(|failing| failing.seed == played.seed) {
            let kind = if failing.verdict == Verdict::Error {
                NonSuccessKind::Error
            } else {
                NonSuccessKind::Failure
            };
            status = TestCaseStatus::non_success(kind);
            status
                .set_type(failing.verdict.as_str())
                .set_message(failing.why.join("; "))
                .set_description(failing.replay.clone());
        }
        let mut case = TestCase::new(format!("seed {}", played.seed), status);
        case.set_classname(SUITE).set_time(Duration::from_secs_f64(played.wall_s));
        suite.add_test_case(case);
    }
    let mut status = TestCaseStatus::success();
    if sweep.determinism.diverged > 0 {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_type("diverged")
            .set_message(format!("not the same history twice: seeds {:?}", sweep.determinism.seeds));
    }
    let mut case = TestCase::new("the same seed is the same history", status);
    case.set_classname(SUITE);
    suite.add_test_case(case);
    let mut report = Report::new("reveille-chaos");
    report.add_test_suite(suite);
    report.to_string()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Plan, SweepSpec,
            sweep::{Determinism, Failing, Played},
        },
        *,
    };

    #[test]
    fn a_seed_that_did_not_hold_is_a_failure_that_says_how_to_see_it() {
        let spec = SweepSpec { seeds: 3..5, swarm: true, jobs: 1, keep: None };
        let mut sweep = Sweep::new(&spec);
        sweep.played = (3..5).map(|seed| Played { seed, wall_s: 1.5, verdict: Verdict::Held }).collect();
        let why = vec!["S4 at event 9: two <effects>".to_owned()];
        sweep.failing.push(Failing {
            seed: 4,
            verdict: Verdict::Violated,
            why,
            replay: "reveille-chaos replay --seed 4".into(),
            plan: Plan::calm(4),
        });
        sweep.determinism = Determinism { checked: 1, diverged: 1, seeds: vec![3] };
        let xml = junit(&sweep).expect("XML");
        for text in [
            "tests=\"3\"",
            "failures=\"2\"",
            "S4 at event 9: two &lt;effects&gt;",
            "replay --seed 4",
            "violated",
        ] {
            assert!(xml.contains(text), "no {text} in {xml}");
        }
    }
}
