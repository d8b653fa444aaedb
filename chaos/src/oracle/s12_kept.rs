//! S12: what was acknowledged, to a person or an agent, is never lost and never taken back.

use std::collections::BTreeMap;

use super::{Checked, snapshot::Snapshot};
use crate::history::{Event, Function, Kind};

/// The moves of a wake that were once shown are shown ever after, in the same order. A yes to a cancel or a force is among
/// the moves at the end, and an attempt whose result was acknowledged to its agent is over.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S12", "nothing that was acknowledged is lost or taken back");
    let mut shown: BTreeMap<&str, Snapshot<'_>> = BTreeMap::new();
    for snapshot in events.iter().filter_map(Snapshot::of) {
        if let Some(before) = shown.insert(snapshot.wake, snapshot) {
            checked.checked += 1;
            if !snapshot.moves.starts_with(before.moves) {
                let text = format!("moves of wake {} that were shown are gone", snapshot.wake);
                checked.violated(snapshot.event, [before.event.i], text);
            }
        }
    }
    let last: BTreeMap<&str, Snapshot<'_>> =
        Snapshot::last(events).map(|snapshot| (snapshot.wake, snapshot)).collect();
    // There may have been a last look that showed no wake at all.
    let was_last_look = events.iter().any(|event| event.flag("last") == Some(true));
    for (wake, before) in shown.iter().filter(|(wake, _)| was_last_look && !last.contains_key(*wake)) {
        checked.violated(before.event, [], format!("wake {wake} was shown and is gone"));
    }
    for event in events {
        let Some(now) = event.k.wake.as_deref().and_then(|wake| last.get(wake)) else { continue };
        match (event.f, event.kind) {
            (Function::ManualWake, Kind::Ok) => stepped_in(&mut checked, event, now),
            (Function::StoreCommit, _) if event.text("acked") == Some("result") => {
                acknowledged(&mut checked, event, now);
            }
            _ => {}
        }
    }
    checked
}

fn stepped_in(checked: &mut Checked, event: &Event, now: &Snapshot<'_>) {
    let Some(what) = event.text("what").filter(|what| matches!(*what, "cancel" | "force")) else { return };
    checked.checked += 1;
    if !now.moved_by(what) {
        let text =
            format!("the controller said yes to {what} wake {}, and its story knows nothing of it", now.wake);
        checked.violated(event, [now.event.i], text);
    }
}

fn acknowledged(checked: &mut Checked, event: &Event, now: &Snapshot<'_>) {
    checked.checked += 1;
    let attempt = now.event.number("attempt").unwrap_or(0.0);
    let is_over = now.end().is_some()
        || attempt > f64::from(event.k.attempt.unwrap_or(0))
        || now.event.text("state") == Some("queued");
    if !is_over {
        let text = format!("the result of wake {} was acknowledged, and the attempt goes on", now.wake);
        checked.violated(event, [now.event.i], text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn texts(told: &Told) -> Vec<String> {
        check(&told.0).violations.into_iter().map(|violation| violation.text).collect()
    }

    fn key(wake: &str) -> Key {
        Key { wake: Some(wake.into()), attempt: Some(1), ..Key::default() }
    }

    #[test]
    fn a_story_that_grows_is_held() {
        let mut told = Told::default();
        told.shown(1.0, "a", "w", &["1 created"], false);
        told.shown(2.0, "a", "w", &["1 created", "2 cancel queued>ended"], false);
        told.add(2.0, Function::ManualWake, key("w"), json!({"what": "cancel"}));
        told.shown(3.0, "a", "w", &["1 created", "2 cancel queued>ended"], true);
        assert_eq!(texts(&told), [""; 0]);
        assert_eq!(check(&told.0).checked, 3);
    }

    #[test]
    fn moves_and_wakes_that_are_gone_are_caught() {
        let mut told = Told::default();
        told.shown(1.0, "a", "w", &["1 created", "2 dispatch queued>dispatched"], false);
        told.shown(1.0, "b", "v", &["1 created"], false);
        told.shown(3.0, "a", "w", &["1 created"], true);
        assert_eq!(
            texts(&told),
            ["moves of wake w that were shown are gone", "wake v was shown and is gone"]
        );
    }

    #[test]
    fn a_last_look_that_shows_nothing_at_all_is_caught() {
        let mut told = Told::default();
        told.shown(1.0, "a", "w", &["1 created"], false);
        assert_eq!(texts(&told), [""; 0], "nobody has looked yet");
        told.add(9.0, Function::Gate, Key::default(), json!({"last": true}));
        assert_eq!(texts(&told), ["wake w was shown and is gone"]);
    }

    #[test]
    fn a_yes_and_an_acknowledgement_that_were_forgotten_are_caught() {
        let mut told = Told::default();
        told.add(1.0, Function::ManualWake, key("w"), json!({"what": "force"}));
        told.add(1.0, Function::StoreCommit, key("w"), json!({"acked": "result"}));
        told.shown(3.0, "a", "w", &["1 created"], true);
        told.0[2].v["attempt"] = json!(1);
        told.0[2].v["end"] = json!(null);
        told.0[2].v["state"] = json!("starting");
        assert_eq!(
            texts(&told),
            [
                "the controller said yes to force wake w, and its story knows nothing of it",
                "the result of wake w was acknowledged, and the attempt goes on",
            ]
        );
    }
}
