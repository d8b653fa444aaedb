//! L1: every wake that was sent is over 60 s after its deadline, or after the last fault was healed if that is later.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Settings};
use crate::history::{Event, Function, Kind};

const AFTER_S_MAX: f64 = 60.0;

/// The deadline is that of the newest command. A wake without an end in a history that stops before its time is up is not
/// judged here; nor is one whose attempt has failed and that waits for another until it expires: no deadline runs for it.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("L1", "every wake that was sent is over 60 s after its deadline and the heal");
    let mut settings = Settings::default();
    let (mut sent, mut ends, mut healed_s) = (BTreeMap::new(), BTreeMap::new(), 0.0_f64);
    let mut failed = BTreeSet::new();
    for event in events {
        settings.follow(event);
        if matches!(event.f, Function::Restart | Function::FaultOff) {
            healed_s = event.t_s();
        }
        let Some(wake) = event.k.wake.as_deref() else { continue };
        match event.f {
            Function::CommandSend => {
                failed.remove(wake);
                sent.insert(wake, event);
            }
            // The agent has told its end.
            Function::SlotRelease if event.kind == Kind::Fail => drop(failed.insert(wake)),
            Function::Terminal => drop(ends.entry(wake).or_insert(event)),
            _ => {}
        }
    }
    let now_s = events.last().map_or(0.0, Event::t_s);
    for (wake, command) in sent {
        let deadline_ms = command.number("deadline_ms").unwrap_or(0.0);
        let deadline_s = (deadline_ms - settings.began_ms as f64) / 1000.0;
        let late_s = deadline_s.max(healed_s) + AFTER_S_MAX;
        let end = ends.get(wake);
        let ended_s = end.map_or(now_s, |end| end.t_s());
        let waits_on = failed.contains(wake) && end.is_none_or(|end| end.text("end") == Some("expired"));
        if waits_on || (end.is_none() && now_s <= late_s) {
            continue;
        }
        checked.checked += 1;
        if ended_s > late_s {
            let event = end.copied().unwrap_or(command);
            let since = if end.is_some() { "ended" } else { "is still not over" };
            let text = format!(
                "wake {wake} was not over {AFTER_S_MAX} s after its deadline ({deadline_s:.0} s) and the heal ({healed_s:.0} s): it \
                 {since} {:.0} s too late",
                ended_s - late_s
            );
            checked.violated(event, [command.i], text);
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn told() -> Told {
        let mut told = Told::with(Settings { began_ms: 5_000, ..Settings::default() });
        for wake in ["a", "b", "c"] {
            let key = Key { wake: Some(wake.into()), ..Key::default() };
            told.add(1.0, Function::CommandSend, key, json!({"deadline_ms": 15_000}));
        }
        told.terminal(9.0, "a", "woken");
        told
    }

    #[test]
    fn a_wake_that_never_ends_or_ends_too_late_is_caught() {
        let mut told = told();
        told.terminal(71.0, "b", "timed_out").load(72.0, "h1", 1.0);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (3, 2));
    }

    #[test]
    fn who_waits_for_another_attempt_has_until_it_expires() {
        let mut told = told();
        let key = Key { wake: Some("b".into()), ..Key::default() };
        told.add(3.0, Function::SlotRelease, key, json!({"outcome": "OUTCOME_REFUSED"})).kind(Kind::Fail);
        told.terminal(71.0, "b", "expired").load(72.0, "h1", 1.0);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 1), "c alone has no end");
    }

    #[test]
    fn the_heal_gives_time_and_a_short_history_judges_nobody() {
        let mut told = told();
        told.add(20.0, Function::Restart, Key::default(), json!(null)).terminal(71.0, "b", "timed_out");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 0));
    }
}
