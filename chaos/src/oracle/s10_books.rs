//! S10: the books balance: what the controller counts is what is counted again from the history.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Checked, snapshot::Snapshot};
use crate::history::{Event, Function};

type Counts = BTreeMap<String, u64>;

/// Compares the figures of `/metrics` and of the report, which an event of the last look holds, with the wakes of that look
/// and with the ends that were seen.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S10", "started is the sum of ends, and what is counted is what happened");
    let Some(books) = events.iter().rfind(|event| event.v.get("books").is_some()) else { return checked };
    let last: Vec<Snapshot<'_>> = Snapshot::last(events).collect();
    let recount = |keep: &dyn Fn(&Snapshot<'_>) -> bool| {
        let mut counts = Counts::new();
        for end in last.iter().filter(|snapshot| keep(snapshot)).filter_map(Snapshot::end) {
            *counts.entry(end.to_owned()).or_default() += 1;
        }
        counts
    };
    let told = &books.v["books"];
    let mut compare = |what: &str, told: Counts, counted: Counts| {
        checked.checked += 1;
        if told != counted {
            checked.violated(books, [], format!("{what}: told {told:?}, counted {counted:?}"));
        }
    };
    let everything = recount(&|_| true);
    compare("ends in the metrics", counts(&told["metrics"]), everything.clone());
    compare("ends that were seen", seen(events), everything);
    let report = &told["report"];
    let by_forecast = |snapshot: &Snapshot<'_>| snapshot.reason() == "forecast" && is_of(report, snapshot);
    compare("ends of forecasts in the report", counts(&report["wakes_by_end"]), recount(&by_forecast));
    let number = |value: &Value| Counts::from([("wakes".to_owned(), value.as_u64().unwrap_or(0))]);
    let of_people = |snapshot: &Snapshot<'_>| {
        matches!(snapshot.reason(), "demand" | "operator") && is_of(report, snapshot)
    };
    let many = |keep: &dyn Fn(&Snapshot<'_>) -> bool| {
        let count = last.iter().filter(|snapshot| snapshot.end().is_some() && keep(snapshot)).count();
        Counts::from([("wakes".to_owned(), count as u64)])
    };
    compare("wakes somebody asked for", number(&report["wakes_asked_for"]), many(&of_people));
    compare("wakes by forecast", number(&report["wakes"]), many(&by_forecast));
    let woken = recount(&by_forecast).get("woken").copied().unwrap_or(0);
    let verdicts = counts(&report["wakes_by_verdict"]);
    let [used, unused, missed] =
        ["used", "unused", "missed"].map(|verdict| verdicts.get(verdict).copied().unwrap_or(0));
    let is_pending = |snapshot: &&Snapshot<'_>| {
        by_forecast(snapshot) && snapshot.end() == Some("woken") && snapshot.event.text("verdict").is_none()
    };
    let pending = last.iter().filter(is_pending).count() as u64;
    let sum = |count| Counts::from([("woken".to_owned(), count)]);
    compare("woken is used, unused, missed and pending", sum(used + unused + missed + pending), sum(woken));
    checked
}

/// Whether the wake was due in the time a report is of: a forecast may have been called off before.
fn is_of(report: &Value, snapshot: &Snapshot<'_>) -> bool {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let is_later =
        time(&snapshot.event.v["due_at"]).zip(time(&report["to"])).is_some_and(|(due, to)| due >= to);
    !is_later
}

/// What is not zero.
fn counts(told: &Value) -> Counts {
    let told = told.as_object().into_iter().flatten();
    let told = told.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)));
    told.filter(|(_, count)| *count > 0).collect()
}

fn seen(events: &[Event]) -> Counts {
    let mut counts = Counts::new();
    for end in events.iter().filter(|event| event.f == Function::Terminal).filter_map(|e| e.text("end")) {
        *counts.entry(end.to_owned()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn told(metrics: &Value, report: &Value) -> Vec<String> {
        let mut told = Told::default();
        told.terminal(1.0, "a", "woken").terminal(2.0, "b", "woken").terminal(3.0, "c", "failed");
        told.last(9.0, "a", "a", "forecast").ended("woken", Some("used"));
        told.last(9.0, "b", "b", "forecast").ended("woken", None);
        told.last(9.0, "c", "c", "demand").ended("failed", None);
        let books = json!({"books": {"metrics": metrics, "report": report}});
        told.add(9.0, Function::StoreCommit, Key::default(), books);
        let checked = check(&told.0);
        assert_eq!(checked.checked, 6);
        checked.violations.into_iter().map(|violation| violation.text).collect()
    }

    fn report() -> Value {
        json!({"wakes": 2, "wakes_by_end": {"woken": 2}, "wakes_asked_for": 1, "wakes_by_verdict": {"used": 1}})
    }

    #[test]
    fn books_that_balance_are_held() {
        assert_eq!(told(&json!({"woken": 2, "failed": 1, "expired": 0}), &report()), [""; 0]);
    }

    #[test]
    fn a_wake_that_is_counted_twice_or_not_at_all_is_caught() {
        let texts = told(&json!({"woken": 3, "failed": 1}), &report());
        assert_eq!(
            texts,
            [r#"ends in the metrics: told {"failed": 1, "woken": 3}, counted {"failed": 1, "woken": 2}"#]
        );
        let mut cooked = report();
        cooked["wakes_asked_for"] = json!(0);
        cooked["wakes_by_verdict"] = json!({"used": 2});
        let texts = told(&json!({"woken": 2, "failed": 1}), &cooked);
        assert_eq!(texts.len(), 2, "{texts:?}");
    }

    #[test]
    fn a_forecast_that_was_called_off_before_it_was_due_is_not_of_the_report() {
        let texts = |due_at: &str| {
            let mut told = Told::default();
            told.terminal(1.0, "a", "woken").terminal(2.0, "b", "cancelled");
            told.last(9.0, "a", "a", "forecast").ended("woken", Some("used"));
            told.last(9.0, "b", "b", "forecast").ended("cancelled", None);
            told.0.last_mut().expect("told").v["due_at"] = json!(due_at);
            let (metrics, ends) = (json!({"woken": 1, "cancelled": 1}), json!({"woken": 1}));
            let report = json!({"to": "2026-03-02T09:00:00Z", "wakes": 1, "wakes_by_end": ends,
                                "wakes_by_verdict": {"used": 1}, "wakes_asked_for": 0});
            let books = json!({"books": {"metrics": metrics, "report": report}});
            told.add(9.0, Function::StoreCommit, Key::default(), books);
            check(&told.0).violations.len()
        };
        assert_eq!((texts("2026-03-02T10:00:00+01:00"), texts("2026-03-02T08:59:59Z")), (0, 2));
    }

    #[test]
    fn without_books_nothing_is_judged() {
        assert_eq!(check(&[]).checked, 0);
    }
}
