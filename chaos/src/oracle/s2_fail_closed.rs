//! S2: nothing is granted on a host whose newest known load is at or above the ceiling, too old, missing, or frozen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Checked, Exactness, Settings};
use crate::history::{Event, Function};

/// Samples kept per host: the decision was taken on one of the last few.
const SAMPLES_MAX: usize = 256;

/// One load sample as it passed the observer.
struct Sample {
    i: u64,
    t_s: f64,
    cpu_percent: f64,
    /// For how long it had been the same to the last bit.
    frozen_s: f64,
}

/// Since when the measured CPU of a host is the same, by the time at which it was measured.
#[derive(Default)]
struct Frozen {
    cpu_percent: f64,
    since_ms: Option<f64>,
}

impl Frozen {
    /// For how long, with this sample. What is at an end of the scale may well stay there.
    fn for_s(&mut self, event: &Event, cpu_percent: f64) -> f64 {
        let at_ms = event.number("measured_at_ms").unwrap_or_default();
        let is_same =
            cpu_percent.to_bits() == self.cpu_percent.to_bits() && cpu_percent > 0.0 && cpu_percent < 100.0;
        let since_ms = self.since_ms.filter(|_| is_same).unwrap_or(at_ms);
        (self.cpu_percent, self.since_ms) = (cpu_percent, Some(since_ms));
        (at_ms - since_ms) / 1000.0
    }
}

/// What a host's session began with.
#[derive(Default)]
struct Begun {
    at_s: f64,
    /// When the last load of the sessions before it came.
    last_s: Option<f64>,
}

impl Begun {
    /// When a command that is seen at `now_s` may have been lost; `None` for one that is no first thing of a session.
    fn lost_at_s(&self, now_s: f64, transit_s: f64) -> Option<f64> {
        self.last_s.filter(|_| now_s - self.at_s <= transit_s)
    }
}

/// What is decided while one of these is on is committed, and its command sent, when the database or the controller goes on.
const HOLDING: [&str; 7] = [
    "store.hang",
    "store.slow",
    "store.busy",
    "store.refuse",
    "store.commit_unknown",
    "controller.pause",
    "clock.suspend",
];

/// What was held is through so many seconds after nothing holds it any more.
const THROUGH_S: f64 = 10.0;

/// Since when commits may have been held.
#[derive(Default)]
struct Held<'a> {
    on: BTreeMap<&'a str, f64>,
    /// From when to when they were, the last time.
    last: Option<(f64, f64)>,
}

impl<'a> Held<'a> {
    fn follow(&mut self, event: &'a Event) {
        let kind = event.text("kind").filter(|kind| HOLDING.contains(kind));
        match (event.f, kind) {
            (Function::FaultOn, Some(kind)) => _ = self.on.entry(kind).or_insert(event.t_s()),
            (Function::FaultOff, Some(kind)) => {
                let since_s = self.since_s(event.t_s());
                self.on.remove(kind);
                self.last = since_s.map(|since_s| (since_s, event.t_s()));
            }
            _ => {}
        }
    }

    fn since_s(&self, now_s: f64) -> Option<f64> {
        let ended = self.last.filter(|(_, to_s)| now_s <= to_s + THROUGH_S).map(|(from_s, _)| from_s);
        self.on.values().copied().chain(ended).reduce(f64::min)
    }
}

/// Joins each grant with the samples before it. The decision may have been taken on any sample that was the newest within
/// `transit_s` before the grant was seen: if one of them allowed it, it was allowed. A command that only looks costs a
/// host nothing and is left out, and so is one sent again for an attempt that has its permit.
///
/// A command can die with the session it was given to before any observer saw it, and is then seen for the first time
/// when it is sent again, as the first thing of the next session. What is sent before that session's first load is
/// therefore judged by the last load of the one before.
///
/// A decision whose commit a database holds leaves as a command much later. It is allowed if any load since then would have
/// allowed it.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S2", "no grant on a host whose newest load is at its ceiling, stale or missing");
    let mut settings = Settings::default();
    let exactness = Exactness::of(events);
    let mut granted = BTreeSet::new();
    let mut samples: BTreeMap<&str, VecDeque<Sample>> = BTreeMap::new();
    let mut frozen: BTreeMap<&str, Frozen> = BTreeMap::new();
    let mut begun: BTreeMap<&str, Begun> = BTreeMap::new();
    let mut held = Held::default();
    for event in events {
        settings.follow(event);
        held.follow(event);
        let host = event.k.host.as_deref().unwrap_or_default();
        let known = samples.entry(host).or_default();
        match event.f {
            Function::LoadSample => {
                let cpu_percent = event.number("cpu_percent").unwrap_or(f64::NAN);
                let frozen_s = frozen.entry(host).or_default().for_s(event, cpu_percent);
                begun.remove(host);
                known.push_back(Sample { i: event.i, t_s: event.t_s(), cpu_percent, frozen_s });
                if known.len() > SAMPLES_MAX {
                    known.pop_front();
                }
            }
            // Another session knows nothing of what was measured before.
            Function::LeaseAcquire => {
                frozen.remove(host);
                let last_s = known.back().map(|sample| sample.t_s);
                begun.insert(host, Begun { at_s: event.t_s(), last_s });
            }
            Function::SlotGrant if event.flag("look_only") != Some(true) => {
                if !granted.insert((event.k.wake.as_deref(), event.k.attempt)) {
                    continue;
                }
                checked.checked += 1;
                let transit_s = settings.transit_s + exactness.extra_s(event.t_s());
                let lost_s = begun.get(host).and_then(|begun| begun.lost_at_s(event.t_s(), transit_s));
                let decided_s = lost_s.unwrap_or(event.t_s());
                let candidates = newest_since(known, decided_s - transit_s);
                let exact = Settings { transit_s, ..settings };
                let was_held =
                    held.since_s(decided_s).is_some_and(|since_s| allowed_since(known, since_s, &exact));
                if let Some(why) = forbidden(&candidates, decided_s, &exact).filter(|_| !was_held) {
                    let chain: Vec<u64> = candidates.iter().map(|sample| sample.i).collect();
                    checked.violated(event, chain, format!("grant on {host} although {why}"));
                }
            }
            _ => {}
        }
    }
    checked
}

/// What was newest at `from_s`, and everything after.
fn newest_since(known: &VecDeque<Sample>, from_s: f64) -> Vec<&Sample> {
    let first = known.iter().rposition(|sample| sample.t_s <= from_s).unwrap_or(0);
    known.iter().skip(first).collect()
}

/// Whether any load that was not stale at `since_s` or later would have allowed a start.
fn allowed_since(known: &VecDeque<Sample>, since_s: f64, settings: &Settings) -> bool {
    let oldest_s = since_s - settings.load_freshness_s - settings.transit_s;
    known.iter().any(|sample| {
        sample.t_s >= oldest_s
            && sample.cpu_percent < settings.cpu_ceiling_percent
            && sample.frozen_s < settings.load_frozen_s
    })
}

fn forbidden(known: &[&Sample], now_s: f64, settings: &Settings) -> Option<String> {
    let Some(newest) = known.last() else { return Some("no load is known".into()) };
    let age_s = now_s - newest.t_s;
    if age_s > settings.load_freshness_s + settings.transit_s {
        return Some(format!("its newest load is {age_s:.1} s old"));
    }
    let oldest_s = now_s - settings.load_freshness_s - settings.transit_s;
    let is_low =
        |sample: &&&Sample| sample.cpu_percent < settings.cpu_ceiling_percent && sample.t_s >= oldest_s;
    if !known.iter().any(|sample| is_low(&sample)) {
        return Some(format!("its newest load is {:.1} %", newest.cpu_percent));
    }
    let is_measured = known.iter().filter(is_low).any(|sample| sample.frozen_s < settings.load_frozen_s);
    (!is_measured).then(|| format!("its load has been the same for {:.0} s", newest.frozen_s))
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};

    fn told() -> Told {
        Told::with(Settings { transit_s: 1.0, ..Settings::default() })
    }

    #[test]
    fn a_grant_on_a_hot_host_is_caught() {
        let mut told = told();
        told.load(1.0, "h1", 40.0).load(10.0, "h1", 70.0).grant(12.0, "h1", "a");
        let checked = check(&told.0);
        assert_eq!(checked.violations.len(), 1);
        assert_eq!(checked.violations[0].text, "grant on h1 although its newest load is 70.0 %");
    }

    #[test]
    fn stale_missing_and_absurd_loads_are_caught() {
        let mut told = told();
        told.grant(0.5, "h1", "a");
        told.load(1.0, "h1", 10.0).grant(33.0, "h1", "b");
        told.load(40.0, "h1", f64::NAN).grant(42.0, "h1", "c");
        told.load(43.0, "h2", 10.0).grant(43.5, "h1", "d");
        assert_eq!(check(&told.0).violations.len(), 4);
    }

    #[test]
    fn a_load_that_nobody_measures_any_more_is_caught() {
        let mut told = Told::with(Settings { load_frozen_s: 120.0, ..Settings::default() });
        let mut load = |t_s: f64, cpu_percent: f64| {
            let key = crate::history::Key { host: Some("h1".into()), ..crate::history::Key::default() };
            let value = serde_json::json!({"cpu_percent": cpu_percent, "measured_at_ms": t_s * 1000.0});
            told.add(t_s, Function::LoadSample, key, value);
        };
        (0..=12).for_each(|n| load(f64::from(n) * 10.0, 40.0));
        told.grant(121.0, "h1", "a");
        let checked = check(&told.0);
        assert_eq!(checked.violations.len(), 1);
        assert_eq!(checked.violations[0].text, "grant on h1 although its load has been the same for 120 s");
        told.session(122.0, "h1", 2).load(123.0, "h1", 40.0).grant(124.0, "h1", "b");
        assert_eq!(check(&told.0).violations.len(), 1, "a new session begins anew");
    }

    #[test]
    fn what_a_database_held_is_judged_by_the_loads_since_it_began_to() {
        let fault = |told: &mut Told, t_s: f64, f: Function| {
            told.add(t_s, f, crate::history::Key::default(), serde_json::json!({"kind": "store.hang"}));
        };
        let after = |cpu_percent: f64, granted_s: f64| {
            let mut told = told();
            told.load(1.0, "h1", cpu_percent);
            fault(&mut told, 20.0, Function::FaultOn);
            fault(&mut told, 300.0, Function::FaultOff);
            told.grant(granted_s, "h1", "a");
            check(&told.0).violations.len()
        };
        assert_eq!((after(40.0, 301.0), after(40.0, 290.0)), (0, 0));
        assert_eq!(after(75.0, 301.0), 1, "nothing allowed it");
        assert_eq!(after(40.0, 320.0), 1, "it was held no more");
    }

    #[test]
    fn what_died_with_its_session_is_judged_by_the_load_of_that_session() {
        let mut told = told();
        told.session(0.0, "h1", 1).load(1.0, "h1", 40.0).cut(2.0, "h1");
        told.session(80.0, "h1", 2).grant(80.5, "h1", "a");
        assert!(check(&told.0).violations.is_empty());
        told.load(81.0, "h1", 75.0).cut(82.0, "h1");
        told.session(160.0, "h1", 3).grant(160.5, "h1", "b");
        assert_eq!(check(&told.0).violations.len(), 1, "it was too hot then");
        told.load(161.0, "h1", 40.0).cut(162.0, "h1");
        told.session(240.0, "h1", 4).grant(245.0, "h1", "c");
        assert_eq!(check(&told.0).violations.len(), 2, "not the first thing, and still without a load");
        told.session(0.0, "h2", 1).grant(0.5, "h2", "d");
        assert_eq!(check(&told.0).violations.len(), 3, "nothing was before");
    }

    #[test]
    fn a_low_fresh_load_allows_and_so_does_one_that_may_still_have_been_the_newest() {
        let mut told = told();
        told.load(1.0, "h1", 40.0).grant(31.5, "h1", "a");
        told.load(40.0, "h1", 69.9).load(50.0, "h1", 90.0).grant(50.5, "h1", "b");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 0), "{:?}", checked.violations);
        told.grant(51.2, "h1", "b");
        assert!(check(&told.0).violations.is_empty(), "sent again after a reconnect");
        told.grant(51.5, "h1", "c");
        assert_eq!(check(&told.0).violations.len(), 1);
    }
}
