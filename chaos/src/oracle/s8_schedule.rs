//! S8: whatever was due was done once, or there is a reason on record why not; and nothing was done that was not due.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, snapshot::Snapshot};
use crate::history::{Event, Function, Kind};

/// What was due: an instance whose user comes at an hour (`due`), and every yes to somebody who asked (`manual_wake`). Where
/// nobody but the controller knows who comes when, a wake that it once showed as due is there in the end. What was done: the wakes the controller shows at the end. A reason: the instance among those the plan left out by name.
///
/// Somebody who asked and does not know what became of it may have been heard: one more wake is then not too many.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S8", "every due wake is made exactly once, or has a reason on record");
    let mut forecasts: BTreeMap<&str, Vec<Snapshot<'_>>> = BTreeMap::new();
    let mut asked: BTreeMap<&str, Vec<Snapshot<'_>>> = BTreeMap::new();
    for snapshot in Snapshot::last(events) {
        let kind = if snapshot.reason() == "forecast" { &mut forecasts } else { &mut asked };
        kind.entry(snapshot.instance).or_default().push(snapshot);
    }
    let omitted: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.f == Function::Plan && event.text("omitted").is_some())
        .filter_map(|event| event.k.instance.as_deref())
        .collect();
    forecasts_due(&mut checked, events, &forecasts, &omitted);
    answers(&mut checked, events, &forecasts, &asked);
    checked
}

fn forecasts_due(
    checked: &mut Checked,
    events: &[Event],
    forecasts: &BTreeMap<&str, Vec<Snapshot<'_>>>,
    omitted: &BTreeSet<&str>,
) {
    let there: BTreeSet<&str> = Snapshot::last(events).map(|snapshot| snapshot.wake).collect();
    let mut due = BTreeSet::new();
    for event in events.iter().filter(|event| event.f == Function::Due) {
        let Some(instance) = event.k.instance.as_deref() else { continue };
        due.insert(instance);
        checked.checked += 1;
        if let Some(wake) = event.k.wake.as_deref() {
            if !there.contains(wake) {
                checked.violated(event, [], format!("wake {wake} of {instance} was due and is gone"));
            }
            continue;
        }
        let made = forecasts.get(instance).map_or(&[][..], Vec::as_slice);
        let chain = made.iter().map(|snapshot| snapshot.event.i);
        let text = match (made.len(), omitted.contains(instance)) {
            (1, false) | (0, true) => continue,
            (0, false) => format!("{instance} was due, was not woken, and nobody says why"),
            (_, true) => format!("{instance} was woken although it was left out"),
            (wakes, false) => format!("{instance} was due once and woken {wakes} times"),
        };
        checked.violated(event, chain.collect::<Vec<_>>(), text);
    }
    // The controller shows what is due only until it is sent.
    let is_told_by_users = !events.iter().any(|event| event.f == Function::Due && event.k.wake.is_some());
    let not_due = forecasts.iter().filter(|(instance, _)| is_told_by_users && !due.contains(*instance));
    for (instance, made) in not_due {
        checked.violated(made[0].event, [], format!("{instance} was woken by forecast and was not due"));
    }
}

/// Every yes names a wake that is there, and every wake somebody asked for was asked for.
fn answers(
    checked: &mut Checked,
    events: &[Event],
    forecasts: &BTreeMap<&str, Vec<Snapshot<'_>>>,
    asked: &BTreeMap<&str, Vec<Snapshot<'_>>>,
) {
    let made = forecasts.values().chain(asked.values()).flatten();
    let made: BTreeSet<&str> = made.map(|snapshot| snapshot.wake).collect();
    let (mut named, mut unknown) = (BTreeSet::new(), BTreeMap::<&str, usize>::new());
    for event in events.iter().filter(|event| event.f == Function::ManualWake) {
        let instance = event.k.instance.as_deref().unwrap_or_default();
        let is_ask = event.text("what") == Some("ask");
        let wake = if is_ask { event.k.wake.as_deref() } else { event.text("made") };
        match (event.kind, wake) {
            (Kind::Ok, Some(wake)) => {
                checked.checked += 1;
                named.insert(wake);
                if !made.contains(wake) {
                    let text =
                        format!("{instance} was asked for and answered with wake {wake}, which is not there");
                    checked.violated(event, [], text);
                }
            }
            (Kind::Info, _) => *unknown.entry(instance).or_default() += 1,
            _ => {}
        }
    }
    for (instance, made) in asked {
        let surplus: Vec<&Snapshot<'_>> =
            made.iter().filter(|snapshot| !named.contains(snapshot.wake)).collect();
        if surplus.len() > unknown.get(instance).copied().unwrap_or(0) {
            let text = format!("{instance} has {} wakes nobody asked for", surplus.len());
            checked.violated(surplus[0].event, [], text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn key(instance: &str, wake: Option<&str>) -> Key {
        Key { instance: Some(instance.into()), wake: wake.map(Into::into), ..Key::default() }
    }

    fn due(told: &mut Told, instance: &str) {
        told.add(0.0, Function::Due, key(instance, None), json!({"reason": "forecast"}));
    }

    fn asked(told: &mut Told, instance: &str, wake: Option<&str>, kind: Kind) {
        told.add(1.0, Function::ManualWake, key(instance, wake), json!({"what": "ask"})).kind(kind);
    }

    fn texts(told: &Told) -> Vec<String> {
        check(&told.0).violations.into_iter().map(|violation| violation.text).collect()
    }

    #[test]
    fn one_wake_or_one_reason_each_is_held() {
        let mut told = Told::default();
        due(&mut told, "a");
        due(&mut told, "b");
        asked(&mut told, "c", Some("w2"), Kind::Ok);
        told.add(8.0, Function::Plan, key("b", None), json!({"omitted": "opted_out"}));
        told.last(9.0, "a", "w1", "forecast").last(9.0, "c", "w2", "demand");
        assert_eq!(texts(&told), [""; 0]);
        assert_eq!(check(&told.0).checked, 3);
    }

    #[test]
    fn what_is_missing_doubled_or_not_due_is_caught() {
        let mut told = Told::default();
        for instance in ["missing", "twice", "both"] {
            due(&mut told, instance);
        }
        told.add(8.0, Function::Plan, key("both", None), json!({"omitted": "opted_out"}));
        told.last(9.0, "twice", "w1", "forecast").last(9.0, "twice", "w2", "forecast");
        told.last(9.0, "both", "w3", "forecast").last(9.0, "idle", "w4", "forecast");
        assert_eq!(
            texts(&told),
            [
                "missing was due, was not woken, and nobody says why",
                "twice was due once and woken 2 times",
                "both was woken although it was left out",
                "idle was woken by forecast and was not due",
            ]
        );
    }

    #[test]
    fn a_wake_that_was_due_and_is_gone_is_caught() {
        let mut told = Told::default();
        for (instance, wake) in [("a", "w1"), ("b", "w2")] {
            told.add(0.0, Function::Due, key(instance, Some(wake)), json!({"reason": "REASON_FORECAST"}));
        }
        told.last(9.0, "a", "w1", "forecast");
        assert_eq!(texts(&told), ["wake w2 of b was due and is gone"]);
    }

    #[test]
    fn a_promised_wake_that_is_gone_and_one_nobody_asked_for_are_caught() {
        let mut told = Told::default();
        asked(&mut told, "a", Some("w1"), Kind::Ok);
        asked(&mut told, "b", Some("w2"), Kind::Ok);
        asked(&mut told, "c", None, Kind::Info);
        told.last(9.0, "b", "w2", "demand").last(9.0, "b", "w3", "demand").last(9.0, "c", "w4", "demand");
        assert_eq!(
            texts(&told),
            [
                "a was asked for and answered with wake w1, which is not there",
                "b has 1 wakes nobody asked for",
            ]
        );
    }
}
