//! S14: nobody waits for a place that is free: people at most 5 s, forecasts at most 60 s. And nobody who asked waits behind
//! a forecast.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Exactness, Settings, sessions};
use crate::history::{Event, Function, Kind};

/// For somebody who asked.
const PEOPLE_S_MAX: f64 = 5.0;
/// For everybody else.
const WAIT_S_MAX: f64 = 60.0;

/// A wake that waits.
struct Waiting<'a> {
    since: &'a Event,
    host: &'a str,
    is_persons: bool,
}

/// From the yes to who asked, or the first look at a wake by forecast, to its first command or its end. Not counted is the
/// time in which its host had no session, its gate was closed, or everything was stopped.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S14", "with a place free, people wait at most 5 s and others 60 s");
    let closed = sessions::closed(events);
    let exactness = Exactness::of(events);
    let mut settings = Settings::default();
    let mut waiting: BTreeMap<&str, Waiting<'_>> = BTreeMap::new();
    let mut over = BTreeSet::new();
    for event in events {
        settings.follow(event);
        let Some(wake) = event.k.wake.as_deref() else { continue };
        let host = event.k.host.as_deref().unwrap_or_default();
        match event.f {
            Function::ManualWake if event.kind == Kind::Ok && event.text("what") == Some("ask") => {
                let is_persons = true;
                if !over.contains(wake) {
                    waiting.entry(wake).or_insert(Waiting { since: event, host, is_persons });
                }
            }
            Function::StoreCommit if event.text("state") == Some("queued") && !over.contains(wake) => {
                let is_persons = event.text("reason") != Some("forecast");
                waiting.entry(wake).or_insert(Waiting { since: event, host, is_persons });
            }
            Function::CommandSend | Function::Terminal if over.insert(wake) => {
                let is_persons = waiting.get(wake).is_some_and(|one| one.is_persons);
                let is_forecast = event.text("reason") == Some("REASON_FORECAST") && !is_persons;
                if is_forecast && event.f == Function::CommandSend {
                    overtaken(&mut checked, &waiting, event, &settings);
                }
                let Some(Waiting { since, host, is_persons }) = waiting.remove(wake) else { continue };
                checked.checked += 1;
                let (from_s, to_s) = (since.t_s(), event.t_s());
                let given_s = closed.get(host).map_or(0.0, |spans| spans.within(from_s, to_s));
                let max_s = if is_persons { PEOPLE_S_MAX } else { WAIT_S_MAX };
                // Between two looks a gate may have closed at once, and may have opened just before the second.
                let blur_s = settings.transit_s + 2.0 * settings.gates_every_s + exactness.extra_s(to_s);
                let waited_s = to_s - from_s - given_s;
                if waited_s > max_s + blur_s {
                    let text = format!("wake {wake} waited {waited_s:.1} s on {host}, at most {max_s} s");
                    checked.violated(event, [since.i], text);
                }
            }
            _ => {}
        }
    }
    checked
}

/// A forecast that is sent while somebody who asked waits on the same host goes before them: there was a place.
fn overtaken(
    checked: &mut Checked,
    waiting: &BTreeMap<&str, Waiting<'_>>,
    event: &Event,
    settings: &Settings,
) {
    let host = event.k.host.as_deref().unwrap_or_default();
    for (wake, one) in waiting.iter().filter(|(_, one)| one.is_persons && one.host == host) {
        let waited_s = event.t_s() - one.since.t_s();
        if waited_s > PEOPLE_S_MAX + settings.transit_s {
            let text =
                format!("a forecast went first on {host} where wake {wake} had waited {waited_s:.1} s");
            checked.violated(event, [one.since.i], text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn asked(told: &mut Told, t_s: f64, wake: &str) {
        let key = Key { wake: Some(wake.into()), host: Some("h1".into()), ..Key::default() };
        told.add(t_s, Function::ManualWake, key, json!({"what": "ask"}));
    }

    #[test]
    fn a_person_who_waits_too_long_is_caught() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1);
        asked(&mut told, 1.0, "a");
        asked(&mut told, 2.0, "b");
        told.send(5.9, "h1", "a").send(7.1, "h1", "b");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 1));
        assert_eq!(checked.violations[0].text, "wake b waited 5.1 s on h1, at most 5 s");
    }

    #[test]
    fn a_forecast_may_wait_longer_and_its_end_ends_the_wait() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1);
        for (wake, reason) in [("a", "forecast"), ("b", "forecast")] {
            let key = Key { wake: Some(wake.into()), host: Some("h1".into()), ..Key::default() };
            told.add(1.0, Function::StoreCommit, key, json!({"state": "queued", "reason": reason}));
        }
        told.send(60.0, "h1", "a").terminal(62.0, "b", "expired");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 1));
    }

    #[test]
    fn a_forecast_that_goes_before_a_person_is_caught() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1).session(0.0, "h2", 1);
        asked(&mut told, 1.0, "a");
        let gate = Key { host: Some("h1".into()), ..Key::default() };
        told.add(1.0, Function::Gate, gate, json!({"free": false}));
        for (t_s, host, wake) in [(3.0, "h1", "b"), (20.0, "h2", "c"), (30.0, "h1", "d")] {
            let key = Key { wake: Some(wake.into()), host: Some(host.into()), ..Key::default() };
            told.add(t_s, Function::CommandSend, key, json!({"reason": "REASON_FORECAST"}));
        }
        let texts: Vec<_> = check(&told.0).violations.into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["a forecast went first on h1 where wake a had waited 29.0 s"]);
    }

    #[test]
    fn the_time_without_a_place_is_given() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1);
        asked(&mut told, 1.0, "a");
        for (t_s, free) in [(2.0, false), (9.0, true)] {
            let key = Key { host: Some("h1".into()), ..Key::default() };
            told.add(t_s, Function::Gate, key, json!({"free": free}));
        }
        told.send(12.0, "h1", "a");
        assert!(check(&told.0).violations.is_empty());
    }

    #[test]
    fn gates_that_are_looked_at_now_and_then_are_known_as_exactly_as_that() {
        let mut told = Told::with(Settings { gates_every_s: 20.0, ..Settings::default() });
        told.session(0.0, "h1", 1);
        asked(&mut told, 1.0, "a");
        asked(&mut told, 2.0, "b");
        told.send(45.0, "h1", "a").send(48.0, "h1", "b");
        assert_eq!(check(&told.0).violations.len(), 1);
    }

    #[test]
    fn the_time_without_a_session_is_given() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1);
        asked(&mut told, 1.0, "a");
        told.cut(2.0, "h1").session(9.0, "h1", 2).send(12.0, "h1", "a");
        assert!(check(&told.0).violations.is_empty());
    }
}
