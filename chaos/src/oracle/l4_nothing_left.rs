//! L4: when everything is over nothing is left: no permit, no open wake, nothing in an agent's hands, and every host is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, snapshot::Snapshot};
use crate::history::{Event, Function};

/// Judges the last look: at hosts (`gate`), at agents' journals (`left`), and at wakes.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("L4", "at the end nothing is in progress, held, or left to tell");
    for event in events {
        if event.f == Function::Gate && event.flag("last") == Some(true) {
            checked.checked += 1;
            let host = event.k.host.as_deref().unwrap_or_default();
            let active = event.number("active_wakes").unwrap_or(f64::NAN);
            if active != 0.0 {
                checked.violated(event, [], format!("{host} holds {active} permits at the end"));
            }
            if event.flag("connected") != Some(true) {
                checked.violated(event, [], format!("{host} is not connected at the end"));
            }
        }
        if let Some(left) = event.v.get("left").and_then(serde_json::Value::as_array) {
            checked.checked += 1;
            let wakes: Vec<&str> = left.iter().filter_map(serde_json::Value::as_str).collect();
            if !wakes.is_empty() {
                let text = format!("{} still has wakes in hand: {}", event.node, wakes.join(", "));
                checked.violated(event, [], text);
            }
        }
    }
    in_hand(&mut checked, events);
    let to_come = to_come(events);
    for snapshot in Snapshot::last(events) {
        checked.checked += 1;
        if snapshot.end().is_none() && !to_come.contains(snapshot.wake) {
            let state = snapshot.event.text("state").unwrap_or_default();
            let text = format!("wake {} of {} is {state} at the end", snapshot.wake, snapshot.instance);
            checked.violated(snapshot.event, [], text);
        }
    }
    checked
}

/// Forecasts that the controller showed as due, that were never sent, and that nobody asked for: they expire in their own time.
fn to_come(events: &[Event]) -> BTreeSet<&str> {
    let mut to_come = BTreeSet::new();
    for event in events {
        let Some(wake) = event.k.wake.as_deref() else { continue };
        match event.f {
            Function::Due if event.text("reason") == Some("REASON_FORECAST") => drop(to_come.insert(wake)),
            Function::CommandSend | Function::ManualWake => drop(to_come.remove(wake)),
            _ => {}
        }
    }
    to_come
}

/// Whatever an agent says to have in hand when nothing of its host was sent or told since, where somebody looked at the end.
fn in_hand(checked: &mut Checked, events: &[Event]) {
    let (mut newest, mut looked_at) = (BTreeMap::<&str, &Event>::new(), BTreeSet::new());
    for event in events {
        let Some(host) = event.k.host.as_deref() else { continue };
        match event.f {
            Function::LoadSample => drop(newest.insert(host, event)),
            Function::CommandSend | Function::SlotRelease => drop(newest.remove(host)),
            Function::Gate if event.flag("last") == Some(true) => drop(looked_at.insert(host)),
            _ => {}
        }
    }
    for (host, event) in newest.into_iter().filter(|(host, _)| looked_at.contains(host)) {
        let Some(active) = event.number("active_wakes") else { continue };
        checked.checked += 1;
        if active != 0.0 {
            checked.violated(event, [], format!("the agent of {host} has {active} wakes in hand at the end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    #[test]
    fn a_forecast_that_was_never_sent_may_wait_for_its_time() {
        let mut told = Told::default();
        for (wake, reason) in [("a", "REASON_FORECAST"), ("b", "REASON_FORECAST"), ("c", "REASON_DEMAND")] {
            let key = Key { wake: Some(wake.into()), instance: Some(wake.into()), ..Key::default() };
            told.add(1.0, Function::Due, key, json!({"reason": reason}));
        }
        told.send(2.0, "h1", "b");
        for wake in ["a", "b", "c"] {
            told.last(9.0, wake, wake, "x");
            (told.0.last_mut().expect("just told")).v = json!({"last": true, "moves": [], "state": "queued"});
        }
        let texts: Vec<String> = check(&told.0).violations.into_iter().map(|broken| broken.text).collect();
        assert_eq!(texts, ["wake b of b is queued at the end", "wake c of c is queued at the end"]);
    }

    fn texts(active: u32, connected: bool, left: &[&str], end: Option<&str>) -> Vec<String> {
        let mut told = Told::default();
        let key = Key { host: Some("h1".into()), ..Key::default() };
        let host = json!({"last": true, "active_wakes": active, "connected": connected});
        told.add(9.0, Function::Gate, key.clone(), host);
        told.add(9.0, Function::StoreCommit, key, json!({"left": left}));
        told.last(9.0, "dev1", "w", "demand");
        told.0[2].v["end"] = json!(end);
        let checked = check(&told.0);
        assert_eq!(checked.checked, 3);
        checked.violations.into_iter().map(|violation| violation.text).collect()
    }

    #[test]
    fn nothing_left_is_held() {
        assert_eq!(texts(0, true, &[], Some("woken")), [""; 0]);
    }

    #[test]
    fn a_wake_that_its_agent_cannot_let_go_of_is_caught() {
        let key = || Key { host: Some("h1".into()), ..Key::default() };
        let mut told = Told::default();
        told.send(1.0, "h1", "a");
        told.add(2.0, Function::LoadSample, key(), json!({"cpu_percent": 1.0, "active_wakes": 1}));
        assert!(check(&told.0).violations.is_empty(), "nobody looked at the end");
        told.add(3.0, Function::Gate, key(), json!({"last": true, "active_wakes": 0, "connected": true}));
        let texts: Vec<_> = check(&told.0).violations.into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["the agent of h1 has 1 wakes in hand at the end"]);
        told.release(4.0, "h1", "a");
        assert!(check(&told.0).violations.is_empty(), "it has said nothing since");
    }

    #[test]
    fn whatever_is_left_is_caught() {
        assert_eq!(
            texts(2, false, &["w"], None),
            [
                "h1 holds 2 permits at the end",
                "h1 is not connected at the end",
                "n still has wakes in hand: w",
                "wake w of dev1 is ended at the end",
            ]
        );
    }
}
