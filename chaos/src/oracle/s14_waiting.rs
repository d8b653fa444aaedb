//! S14: nobody waits for a place that is free: people at most 5 s, forecasts at most 60 s. And nobody who asked waits behind
//! a forecast.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Exactness, Settings, sessions};
use crate::history::{Event, Function, Kind};

/// For somebody who asked.
const PEOPLE_S_MAX: f64 = 5.0;
/// For everybody else.
const WAIT_S_MAX: f64 = 60.0;

/// What is sent within so many seconds is sent together.
const TOGETHER_S: f64 = 0.1;

/// A wake that waits, or waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(crate) wake: &'a str,
    pub(crate) host: &'a str,
    pub(crate) is_persons: bool,
    pub(crate) since: &'a Event,
    /// Its first command, or its end.
    pub(crate) over: Option<&'a Event>,
    /// Seconds of it in which something could have been started on its host.
    pub(crate) open_s: f64,
    /// In how many pieces that was.
    pub(crate) pieces: usize,
    /// The first forecast that went first on its host, when it had waited for longer than people do.
    pub(crate) overtaken_by: Option<&'a Event>,
}

/// Every wake that waited, from the yes to who asked or the first look at a wake by forecast, to its first command or its
/// end, and at the longest until `to_s`. Not counted is the time in which its host had no session, its gate was closed, or
/// everything was stopped.
pub(crate) fn waits<'a>(events: &'a [Event], to_s: f64) -> Vec<Wait<'a>> {
    let closed = sessions::closed(events);
    let mut settings = Settings::default();
    let mut waiting: BTreeMap<&str, (Wait<'a>, f64)> = BTreeMap::new();
    let (mut over, mut waits) = (BTreeSet::new(), Vec::new());
    // Instances somebody asked for, and never heard whether that was taken: it may have been.
    let mut maybe_asked: BTreeSet<&str> = BTreeSet::new();
    let ended = |(wait, from_s): (Wait<'a>, f64), at_s: f64| {
        let (all_s, closed) = ((at_s - from_s).max(0.0), closed.get(wait.host));
        let open_s = closed.map_or(all_s, |spans| (all_s - spans.within(from_s, at_s)).max(0.0));
        Wait { open_s, pieces: closed.map_or(1, |spans| spans.pieces_left(from_s, at_s)), ..wait }
    };
    for event in events.iter().take_while(|event| event.t_s() <= to_s) {
        settings.follow(event);
        let instance = event.k.instance.as_deref().unwrap_or_default();
        if event.f == Function::ManualWake && event.kind != Kind::Ok {
            maybe_asked.insert(instance);
        }
        let Some(wake) = event.k.wake.as_deref() else { continue };
        let host = event.k.host.as_deref().unwrap_or_default();
        let begins = match event.f {
            Function::ManualWake if event.kind == Kind::Ok && event.text("what") == Some("ask") => {
                Some((true, event.t_s()))
            }
            Function::StoreCommit if event.text("state") == Some("queued") => {
                Some((event.text("reason") != Some("forecast"), event.t_s()))
            }
            Function::Due => {
                let due_s = event.number("due_at_ms").map(|at| (at - settings.began_ms as f64) / 1000.0);
                Some((false, due_s.unwrap_or_default().max(event.t_s())))
            }
            _ => None,
        };
        if let Some((is_persons, from_s)) = begins.filter(|_| !over.contains(wake)) {
            let wait = Wait {
                wake,
                host,
                is_persons,
                since: event,
                over: None,
                open_s: 0.0,
                pieces: 0,
                overtaken_by: None,
            };
            match waiting.get_mut(wake) {
                // Somebody asked for what a forecast had queued: from then on a person waits.
                Some(known) if is_persons && !known.0.is_persons => *known = (wait, from_s),
                Some(_) => {}
                None => drop(waiting.insert(wake, (wait, from_s))),
            }
        }
        let is_first = event.f == Function::CommandSend && !over.contains(wake);
        let is_persons = waiting.get(wake).is_some_and(|(wait, _)| wait.is_persons);
        let is_forecast = !is_persons && !maybe_asked.contains(instance);
        if is_first && is_forecast && event.text("reason") == Some("REASON_FORECAST") {
            // There was a place, and who asked was there before and is still waited for.
            let due_s = PEOPLE_S_MAX + settings.transit_s..settings.demand_expiry_s;
            let on_host = waiting.values_mut().filter(|(wait, _)| wait.is_persons && wait.host == host);
            for (wait, _) in on_host.filter(|(_, from_s)| due_s.contains(&(event.t_s() - from_s))) {
                wait.overtaken_by.get_or_insert(event);
            }
        }
        if matches!(event.f, Function::CommandSend | Function::Terminal)
            && over.insert(wake)
            && let Some(known) = waiting.remove(wake)
        {
            // What died with a session is sent again at once with the next, in whatever order.
            let is_before = |by: &&Event| event.t_s() - by.t_s() > TOGETHER_S + settings.transit_s;
            let overtaken_by = known.0.overtaken_by.filter(is_before);
            waits.push(Wait { over: Some(event), overtaken_by, ..ended(known, event.t_s()) });
        }
    }
    waits.extend(waiting.into_values().map(|known| ended(known, to_s)));
    waits
}

/// Of wakes by forecast it is judged only where every move is told: whether a gate is open is asked for a person.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S14", "with a place free, people wait at most 5 s and others 60 s");
    let exactness = Exactness::of(events);
    let mut settings = Settings::default();
    for event in events {
        settings.follow(event);
    }
    for wait in waits(events, f64::INFINITY) {
        if let Some(event) = wait.overtaken_by {
            let (wake, host) = (wait.wake, wait.host);
            let waited_s = event.t_s() - wait.since.t_s();
            let text =
                format!("a forecast went first on {host} where wake {wake} had waited {waited_s:.1} s");
            checked.violated(event, [wait.since.i], text);
        }
        let Some(over) = wait.over.filter(|_| wait.since.f != Function::Due) else { continue };
        checked.checked += 1;
        let max_s = if wait.is_persons { PEOPLE_S_MAX } else { WAIT_S_MAX };
        let Wait { wake, host, open_s, pieces, .. } = wait;
        // Between two looks a gate may have closed at once, each time it was open, and may have opened just before the last.
        let looks = pieces as f64 + 1.0;
        let blur_s = settings.transit_s + looks * settings.gates_every_s + exactness.extra_s(over.t_s());
        if open_s > max_s + blur_s {
            let text = format!("wake {wake} waited {open_s:.1} s on {host}, at most {max_s} s");
            checked.violated(over, [wait.since.i], text);
        }
    }
    checked
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
        told.send(30.05, "h1", "a");
        assert!(check(&told.0).violations.is_empty(), "they went together");
    }

    #[test]
    fn a_forecast_somebody_may_have_asked_for_overtakes_nobody() {
        let mut told = Told::default();
        told.session(0.0, "h1", 1);
        asked(&mut told, 1.0, "a");
        let asks = Key { instance: Some("dev2".into()), ..Key::default() };
        told.add(2.0, Function::ManualWake, asks.clone(), json!({"what": "ask"}));
        told.0.last_mut().expect("it was just added").kind = Kind::Fail;
        let key = Key { wake: Some("b".into()), host: Some("h1".into()), ..asks };
        told.add(30.0, Function::CommandSend, key, json!({"reason": "REASON_FORECAST"}));
        assert!(check(&told.0).violations.is_empty());
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
