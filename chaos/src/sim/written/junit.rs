//! As `JUnit` XML: a test case for each seed or plan.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::Cases;
use crate::experiment::Verdict;

/// What held, what did not with the reason and how to see it again, and whether seeds were histories.
pub fn junit(played: &Cases) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(played.suite);
    suite.set_time(Duration::from_secs_f64(played.wall_s));
    for one in &played.cases {
        let mut status = TestCaseStatus::success();
        if one.verdict != Verdict::Held {
            let is_ours = matches!(one.verdict, Verdict::Error | Verdict::InvalidFile);
            let kind = if is_ours { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            status = TestCaseStatus::non_success(kind);
            status
                .set_type(one.verdict.as_str())
                .set_message(one.why.join("; "))
                .set_description(one.replay.clone());
        }
        let mut case = TestCase::new(&*one.name, status);
        case.set_classname(played.suite).set_time(Duration::from_secs_f64(one.wall_s));
        suite.add_test_case(case);
    }
    let mut report = Report::new("reveille-chaos");
    report.add_test_suite(suite);
    report.to_string()
}

#[cfg(test)]
mod tests {
    use super::{super::case::sweep_of_two, *};

    #[test]
    fn a_seed_that_did_not_hold_is_a_failure_that_says_how_to_see_it() {
        let xml = junit(&Cases::from(&sweep_of_two())).expect("XML");
        for text in [
            "tests=\"3\"",
            "failures=\"2\"",
            "S4 at event 9: two &lt;effects&gt;",
            "replay --seed 4",
            "violated",
            "not the same history twice: seeds [3]",
        ] {
            assert!(xml.contains(text), "no {text} in {xml}");
        }
    }
}
