//! S5: every started wake has exactly one end, of a known kind, nothing after it changes it, and it is true.

use std::collections::BTreeMap;

use super::{Checked, seen};
use crate::history::{Event, Function};

/// The ends a wake may have.
pub const ENDS: [&str; 8] =
    ["woken", "already_awake", "refused", "failed", "timed_out", "host_lost", "cancelled", "expired"];

/// What is known of one wake.
#[derive(Default)]
struct Life<'a> {
    started: Option<&'a Event>,
    ended: Option<&'a Event>,
}

/// An automaton per wake. `terminal` events come from whoever watches the controller's view of its wakes: seeing the same
/// end again is silence, seeing another one is a change.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S5", "every started wake has exactly one end and nothing changes it");
    let mut lives: BTreeMap<&str, Life<'_>> = BTreeMap::new();
    for event in events {
        let Some(wake) = event.k.wake.as_deref() else { continue };
        let life = lives.entry(wake).or_default();
        match event.f {
            Function::CommandSend => {
                if let Some(end) = life.ended {
                    checked.violated(event, [end.i], format!("wake {wake} was sent again after its end"));
                }
                life.started.get_or_insert(event);
            }
            // Whoever was told that a wake is taken down may rely on its end, sent or not.
            Function::ManualWake => {
                life.started.get_or_insert(event);
            }
            Function::Terminal => end(&mut checked, life, wake, event),
            _ => {}
        }
    }
    seen::check(&mut checked, events);
    // A run that was stopped left its wakes to be: what became of them nobody looked at.
    let stopped =
        events.iter().any(|event| event.f == Function::Lever && event.text("run") == Some("stopped"));
    for (wake, life) in &lives {
        let Some(started) = life.started else { continue };
        checked.checked += 1;
        if life.ended.is_none() && !stopped {
            checked.violated(started, [], format!("wake {wake} was started and has no end"));
        }
    }
    checked
}

fn end<'a>(checked: &mut Checked, life: &mut Life<'a>, wake: &str, event: &'a Event) {
    let kind = event.text("end").unwrap_or_default();
    if !ENDS.contains(&kind) {
        checked.violated(event, [], format!("wake {wake} ended as {kind:?}, which is not an end"));
    }
    match life.ended {
        None => life.ended = Some(event),
        Some(before) => {
            let was = before.text("end").unwrap_or_default();
            checked.violated(event, [before.i], format!("wake {wake} ended twice: {was}, then {kind}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};

    fn texts(told: &Told) -> Vec<String> {
        check(&told.0).violations.into_iter().map(|violation| violation.text).collect()
    }

    #[test]
    fn lost_doubled_changed_and_nonsense_ends_are_caught() {
        let mut told = Told::default();
        told.send(1.0, "h1", "lost");
        told.send(1.0, "h1", "twice").terminal(2.0, "twice", "woken").terminal(3.0, "twice", "failed");
        told.send(1.0, "h1", "odd").terminal(2.0, "odd", "vanished");
        told.send(1.0, "h1", "again").terminal(2.0, "again", "timed_out").send(3.0, "h1", "again");
        assert_eq!(
            texts(&told),
            [
                "wake twice ended twice: woken, then failed",
                "wake odd ended as \"vanished\", which is not an end",
                "wake again was sent again after its end",
                "wake lost was started and has no end",
            ]
        );
    }

    #[test]
    fn a_stopped_run_leaves_wakes_without_an_end_but_no_wrong_ones() {
        let mut told = Told::default();
        told.send(1.0, "h1", "left").send(1.0, "h1", "twice");
        told.terminal(2.0, "twice", "woken").terminal(3.0, "twice", "failed");
        told.add(4.0, Function::Lever, crate::history::Key::default(), serde_json::json!({"run": "stopped"}));
        assert_eq!(texts(&told), ["wake twice ended twice: woken, then failed"]);
    }

    #[test]
    fn an_acknowledged_wake_without_an_end_is_caught() {
        let mut told = Told::default();
        for wake in ["lost", "ended"] {
            let key = crate::history::Key { wake: Some(wake.into()), ..crate::history::Key::default() };
            told.add(1.0, Function::ManualWake, key, serde_json::Value::Null);
        }
        told.terminal(2.0, "ended", "expired");
        assert_eq!(texts(&told), ["wake lost was started and has no end"]);
        assert_eq!(check(&told.0).checked, 2);
    }

    #[test]
    fn one_end_each_is_held_and_wakes_that_never_started_may_end() {
        let mut told = Told::default();
        told.send(1.0, "h1", "a").send(2.0, "h1", "a").terminal(3.0, "a", "woken");
        told.terminal(3.0, "never-sent", "expired");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (1, 0));
    }
}
