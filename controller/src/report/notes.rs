//! What to mind when reading a scorecard.

use jiff::Timestamp;

use super::{BASELINE_DAYS, Scorecard};

pub(super) fn notes(card: &Scorecard, first_act_wake_at: Option<Timestamp>) -> Vec<String> {
    let mut notes = Vec::new();
    match first_act_wake_at {
        None => notes.push(
            "No instance has been woken by forecast yet: this is the baseline. Plans are made and can be looked at."
                .to_owned(),
        ),
        Some(at) => {
            if card.from < at {
                notes.push(format!("Reveille first woke an instance at {at:.0}; the period began before that."));
            }
        }
    }
    let short = card.baseline.iter().any(|cohort| cohort.before_days < BASELINE_DAYS as f64 - 0.5);
    if first_act_wake_at.is_some() && short {
        let days = card.baseline.iter().map(|cohort| cohort.before_days).fold(f64::INFINITY, f64::min);
        notes.push(format!(
            "The log reaches back only {days:.1} days before the first wake, not {BASELINE_DAYS}."
        ));
    }
    let judged: u64 = card.wakes_by_verdict.values().sum();
    if judged < card.wakes {
        notes.push(format!(
            "{} of {} wakes have no verdict: their window is open, or they found nothing to do.",
            card.wakes - judged,
            card.wakes
        ));
    }
    notes.push(
        "Minutes saved are what the wakes themselves took to serve; a visit that did not ask may have found the \
         instance awake for other reasons."
            .to_owned(),
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::super::scorecard::tests::{at, card};
    use super::*;

    #[test]
    fn notes_say_what_misleads() {
        let all = card().notes.join("\n");
        for expected in ["period began before", "reaches back only 1.0 days", "1 of 5 wakes"] {
            assert!(all.contains(expected), "{expected}: {all}");
        }
        let before = notes(&card(), None).join("\n");
        assert!(before.contains("this is the baseline"), "{before}");
        assert!(!before.contains("reaches back"), "{before}");
        let edge = notes(&card(), Some(card().from)).join("\n");
        assert!(!edge.contains("period began before"), "{edge}");
        let within = notes(&card(), Some(at("01T00:00"))).join("\n");
        assert!(!within.contains("period began before"), "{within}");
    }
    /// Half a day less than thirty is near enough, and verdicts may be all there.
    #[test]
    fn what_is_as_it_should_be_needs_no_note() {
        let mut whole = card();
        whole.wakes = 4;
        let count_with = |days: f64, card: &mut Scorecard| {
            card.baseline[0].before_days = days;
            let all = notes(card, Some(at("01T00:00")));
            all.iter().filter(|note| note.contains("reaches back") || note.contains("no verdict")).count()
        };
        assert_eq!([29.4, 29.5, 30.0].map(|days| count_with(days, &mut whole)), [1, 0, 0]);
        let shorter = crate::report::CohortBaseline { before_days: 2.0, ..whole.baseline[0].clone() };
        whole.baseline.push(shorter);
        let all = notes(&whole, Some(at("01T00:00"))).join("\n");
        assert!(all.contains("only 2.0 days before the first wake, not 30."), "{all}");
    }
}
