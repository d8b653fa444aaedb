//! L3: an agent whose stream was lost has one again, at most its longest wait and 30 s after the cause is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Settings};
use crate::history::{Event, Function};

const AGAIN_S_MAX: f64 = 30.0;

/// A stream is up from the welcome to its loss. While a host is cut off it has no time to keep to. That a session is over which
/// another has taken the place of, often noticed late, is no loss: the host has the other.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("L3", "every stream is up again after the agent's longest wait + 30 s");
    let mut settings = Settings::default();
    // host -> the loss, and from when on it counts; `None` while it is cut off
    let mut down: BTreeMap<&str, (&Event, Option<f64>)> = BTreeMap::new();
    let mut cut_off: BTreeSet<&str> = BTreeSet::new();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        settings.follow(event);
        if event.f == Function::Restart {
            let waits = down.values_mut().filter_map(|(_, since)| since.as_mut());
            waits.for_each(|since| *since = event.t_s());
        }
        let Some(host) = event.k.host.as_deref() else { continue };
        match event.f {
            // Who is down already has time as well.
            Function::FaultOn => {
                cut_off.insert(host);
                down.entry(host).and_modify(|(_, since)| *since = None);
            }
            Function::FaultOff => {
                cut_off.remove(host);
                down.entry(host).and_modify(|(_, since)| *since = Some(event.t_s()));
            }
            Function::LeaseLost
                if event.epoch > 0 && newest.get(host).is_some_and(|epoch| *epoch > event.epoch) => {}
            Function::LeaseLost => {
                let since = (!cut_off.contains(host)).then(|| event.t_s());
                down.entry(host).or_insert((event, since));
            }
            Function::LeaseAcquire => {
                newest.insert(host, event.epoch);
                if let Some((loss, since)) = down.remove(host) {
                    judge(&mut checked, &settings, host, (loss, since), event);
                }
            }
            _ => {}
        }
    }
    let Some(last) = events.last() else { return checked };
    for (host, (loss, since)) in down {
        judge(&mut checked, &settings, host, (loss, since), last);
    }
    checked
}

fn judge(
    checked: &mut Checked,
    settings: &Settings,
    host: &str,
    (loss, since): (&Event, Option<f64>),
    event: &Event,
) {
    checked.checked += 1;
    let Some(since_s) = since else { return };
    let waited_s = event.t_s() - since_s;
    if waited_s > settings.reconnect_s_max + AGAIN_S_MAX {
        let text = format!("the stream of {host} was down for {waited_s:.1} s");
        checked.violated(event, [loss.i], text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn told() -> Told {
        let mut told = Told::with(Settings { reconnect_s_max: 1.0, ..Settings::default() });
        told.session(1.0, "h1", 1).session(1.0, "h2", 1);
        told
    }

    #[test]
    fn a_stream_that_stays_down_is_caught() {
        let mut told = told();
        told.cut(2.0, "h1").cut(2.0, "h2").session(4.0, "h1", 2).load(34.0, "h1", 1.0);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 1));
        assert_eq!(checked.violations[0].text, "the stream of h2 was down for 32.0 s");
    }

    #[test]
    fn the_end_of_a_session_that_has_a_successor_is_no_loss() {
        let lost = |epoch| {
            let mut told = told();
            told.session(2.0, "h1", 3).cut(2.5, "h1").epoch(epoch).load(99.0, "h1", 1.0);
            check(&told.0).violations.len()
        };
        assert_eq!([0, 1, 3].map(lost), [1, 0, 1]);
    }

    #[test]
    fn who_is_cut_off_while_down_has_until_that_is_over() {
        let mut told = told();
        let key = Key { host: Some("h2".into()), ..Key::default() };
        told.cut(2.0, "h2").add(10.0, Function::FaultOn, key.clone(), json!(null));
        told.add(100.0, Function::Restart, Key::default(), json!(null));
        told.add(900.0, Function::FaultOff, key, json!(null)).session(905.0, "h2", 2);
        assert!(check(&told.0).violations.is_empty());
    }

    #[test]
    fn a_restart_begins_the_wait_anew_and_a_host_that_is_cut_off_has_time() {
        let mut told = told();
        let key = Key { host: Some("h2".into()), ..Key::default() };
        told.add(1.0, Function::FaultOn, key.clone(), json!(null)).cut(1.5, "h2");
        told.cut(2.0, "h1").add(20.0, Function::Restart, Key::default(), json!(null));
        told.session(50.0, "h1", 2).add(60.0, Function::FaultOff, key, json!(null)).session(62.0, "h2", 2);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 0), "{:?}", checked.violations);
    }
}
