//! S2: nothing is granted on a host whose newest known load is at or above the ceiling, or too old, or missing.

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
}

/// Joins each grant with the samples before it. The decision may have been taken on any sample that was the newest within
/// `transit_s` before the grant was seen: if one of them allowed it, it was allowed. A command that only looks costs a
/// host nothing and is left out, and so is one sent again for an attempt that has its permit.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S2", "no grant on a host whose newest load is at its ceiling, stale or missing");
    let mut settings = Settings::default();
    let exactness = Exactness::of(events);
    let mut granted = BTreeSet::new();
    let mut samples: BTreeMap<&str, VecDeque<Sample>> = BTreeMap::new();
    for event in events {
        settings.follow(event);
        let host = event.k.host.as_deref().unwrap_or_default();
        let known = samples.entry(host).or_default();
        match event.f {
            Function::LoadSample => {
                let cpu_percent = event.number("cpu_percent").unwrap_or(f64::NAN);
                known.push_back(Sample { i: event.i, t_s: event.t_s(), cpu_percent });
                if known.len() > SAMPLES_MAX {
                    known.pop_front();
                }
            }
            Function::SlotGrant if event.flag("look_only") != Some(true) => {
                if !granted.insert((event.k.wake.as_deref(), event.k.attempt)) {
                    continue;
                }
                checked.checked += 1;
                let transit_s = settings.transit_s + exactness.extra_s(event.t_s());
                let candidates = newest_since(known, event.t_s() - transit_s);
                let exact = Settings { transit_s, ..settings };
                if let Some(why) = forbidden(&candidates, event.t_s(), &exact) {
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

fn forbidden(known: &[&Sample], now_s: f64, settings: &Settings) -> Option<String> {
    let Some(newest) = known.last() else { return Some("no load is known".into()) };
    let age_s = now_s - newest.t_s;
    if age_s > settings.load_freshness_s + settings.transit_s {
        return Some(format!("its newest load is {age_s:.1} s old"));
    }
    let low = known.iter().any(|sample| sample.cpu_percent < settings.cpu_ceiling_percent);
    (!low).then(|| format!("its newest load is {:.1} %", newest.cpu_percent))
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
