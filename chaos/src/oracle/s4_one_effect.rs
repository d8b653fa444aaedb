//! S4: at most one accepted wake call per instance and window; retries of one wake share their idempotency key.

use std::collections::{BTreeMap, BTreeSet};

use super::Checked;
use crate::history::{Event, Function};

/// Ends of a wake whose instance serves.
const SERVES: [&str; 2] = ["woken", "already_awake"];

/// Groups by (instance, window) what the endpoints' side of the socket wrote. A window is one sleep of the instance: a
/// second accepted call before it slept again is a double call whether or not it booted anything. It is none if
/// somebody asked for it by another wake and the one before was given up without serving: they are not left waiting for it.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S4", "at most one effect per instance and window, retries share their key");
    let mut first: BTreeMap<(&str, &str), &Event> = BTreeMap::new();
    let mut key_of: BTreeMap<&str, &Event> = BTreeMap::new();
    let (mut given_up, mut asked): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for event in events {
        if event.f == Function::Terminal && !SERVES.contains(&event.text("end").unwrap_or_default()) {
            given_up.extend(event.k.wake.as_deref());
        }
        if event.f == Function::ManualWake {
            asked.extend(event.k.wake.as_deref());
        }
        if matches!(event.f, Function::CallEndpoint | Function::EndpointEffect) {
            same_key(&mut checked, &mut key_of, event);
        }
        if event.f != Function::EndpointEffect {
            continue;
        }
        checked.checked += 1;
        let instance = event.k.instance.as_deref().unwrap_or_default();
        let window = event.k.window.as_deref().unwrap_or_default();
        let is_one =
            |wakes: &BTreeSet<&str>, of: &Event| of.k.wake.as_deref().is_some_and(|w| wakes.contains(w));
        match first.get(&(instance, window)) {
            Some(before)
                if before.k.wake != event.k.wake && is_one(&given_up, before) && is_one(&asked, event) =>
            {
                first.insert((instance, window), event);
            }
            Some(before) => {
                let text = format!("two effects for ({instance}, {window})");
                checked.violated(event, [before.i], text);
            }
            None => drop(first.insert((instance, window), event)),
        }
    }
    checked
}

fn same_key<'a>(checked: &mut Checked, key_of: &mut BTreeMap<&'a str, &'a Event>, event: &'a Event) {
    let Some(wake) = event.k.wake.as_deref() else { return };
    let before = key_of.entry(wake).or_insert(event);
    if before.k.idem != event.k.idem {
        let text = format!("wake {wake} called with another idempotency key");
        checked.violated(event, [before.i], text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    #[test]
    fn a_double_call_in_one_window_is_caught() {
        let mut told = Told::default();
        told.effect(1.0, "dev1", "sleep-1", "a").effect(2.0, "dev2", "sleep-1", "b");
        told.effect(3.0, "dev1", "sleep-1", "c");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (3, 1));
        assert_eq!(checked.violations[0].chain, [0, 2]);
        assert_eq!(checked.violations[0].text, "two effects for (dev1, sleep-1)");
    }

    #[test]
    fn who_asks_after_a_wake_was_given_up_is_served_by_another_call() {
        let mut told = Told::default();
        let key = Key { wake: Some("c".into()), ..Key::default() };
        told.add(0.5, Function::ManualWake, key, json!({"what": "ask"}));
        told.effect(0.6, "d", "sleep-1", "d")
            .terminal(0.7, "d", "timed_out")
            .effect(0.8, "d", "sleep-1", "e");
        for (wake, end) in [("a", "timed_out"), ("b", "woken")] {
            told.effect(1.0, wake, "sleep-1", wake)
                .terminal(5.0, wake, end)
                .effect(9.0, wake, "sleep-1", "c");
        }
        told.effect(10.0, "a", "sleep-1", "c");
        let texts: Vec<_> = check(&told.0).violations.into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["d", "b", "a"].map(|id| format!("two effects for ({id}, sleep-1)")));
    }

    #[test]
    fn the_next_sleep_is_another_window() {
        let mut told = Told::default();
        told.effect(1.0, "dev1", "sleep-1", "a").effect(9.0, "dev1", "sleep-2", "b");
        assert!(check(&told.0).violations.is_empty());
    }

    #[test]
    fn a_retry_with_another_key_is_caught() {
        let mut told = Told::default();
        told.call(1.0, "dev1", "a").call(2.0, "dev1", "a");
        assert!(check(&told.0).violations.is_empty());
        told.call(3.0, "dev1", "a");
        told.0[2].k.idem = Some("other".into());
        assert_eq!(check(&told.0).violations.len(), 1);
    }
}
