//! L2: what was in progress when a process died is looked after again within 30 s of its restart.

use std::collections::{BTreeMap, BTreeSet};

use super::Checked;
use crate::history::{Event, Function};

const AGAIN_S_MAX: f64 = 30.0;

/// Who waits to be looked after, and the event from which on everybody who can was there.
struct Orphan<'a> {
    host: &'a str,
    since: Option<&'a Event>,
}

/// Whether a process has to do with the wakes of a host: a controller with all, an agent with its own.
fn concerns(node: &str, host: &str) -> bool {
    node.strip_prefix("agent-").is_none_or(|number| host.strip_prefix("host-") == Some(number))
}

/// A wake is in progress from its command to its result or end. Looked after is one that is sent again, told of by its agent,
/// or ended; a host that is cut off has until it is back.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("L2", "what was in progress is looked after 30 s after a restart");
    let mut running: BTreeMap<&str, &str> = BTreeMap::new();
    let mut orphans: BTreeMap<&str, Orphan<'_>> = BTreeMap::new();
    let (mut cut_off, mut down) = (BTreeSet::<&str>::new(), BTreeSet::<&str>::new());
    for event in events {
        let host = event.k.host.as_deref().unwrap_or_default();
        let node = event.text("node").unwrap_or_default();
        match event.f {
            Function::Crash => {
                down.insert(node);
                for (wake, host) in running.iter().filter(|(_, host)| concerns(node, host)) {
                    orphans.insert(wake, Orphan { host, since: None });
                }
            }
            Function::FaultOn => _ = cut_off.insert(host),
            Function::Restart | Function::FaultOff => {
                if event.f == Function::Restart {
                    down.remove(node)
                } else {
                    cut_off.remove(host)
                };
                let can_be =
                    |host: &str| !cut_off.contains(host) && !down.iter().any(|node| concerns(node, host));
                let waiting = orphans.values_mut().filter(|orphan| orphan.since.is_none());
                waiting.filter(|orphan| can_be(orphan.host)).for_each(|orphan| orphan.since = Some(event));
            }
            Function::CommandSend | Function::Poll | Function::SlotRelease | Function::Terminal => {
                let Some(wake) = event.k.wake.as_deref() else { continue };
                match event.f {
                    Function::CommandSend => drop(running.insert(wake, host)),
                    Function::Poll => {}
                    _ => drop(running.remove(wake)),
                }
                if let Some(orphan) = orphans.remove(wake) {
                    judge(&mut checked, wake, &orphan, event);
                }
            }
            _ => {}
        }
    }
    let Some(last) = events.last() else { return checked };
    for (wake, orphan) in &orphans {
        judge(&mut checked, wake, orphan, last);
    }
    checked
}

fn judge(checked: &mut Checked, wake: &str, orphan: &Orphan<'_>, event: &Event) {
    checked.checked += 1;
    let Some(since) = orphan.since else { return };
    let waited_s = event.t_s() - since.t_s();
    if waited_s > AGAIN_S_MAX {
        let text = format!("nobody looked after wake {wake} for {waited_s:.1} s after the restart");
        checked.violated(event, [since.i], text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn died(told: &mut Told, t_s: f64, node: &str) {
        told.add(t_s, Function::Crash, Key::default(), json!({"node": node}));
        told.add(t_s, Function::Restart, Key::default(), json!({"node": node}));
    }

    #[test]
    fn a_wake_that_is_forgotten_is_caught() {
        let mut told = Told::default();
        told.send(1.0, "host-1", "a").send(1.0, "host-1", "b").send(1.0, "host-2", "c");
        died(&mut told, 2.0, "controller");
        told.send(5.0, "host-1", "a").terminal(33.0, "c", "woken");
        let checked = check(&told.0);
        let texts: Vec<_> = checked.violations.iter().map(|violation| violation.text.as_str()).collect();
        assert_eq!(checked.checked, 3);
        assert_eq!(
            texts,
            [
                "nobody looked after wake c for 31.0 s after the restart",
                "nobody looked after wake b for 31.0 s after the restart",
            ]
        );
    }

    #[test]
    fn only_the_restart_of_who_died_counts_and_a_word_of_the_agent_will_do() {
        let mut told = Told::default();
        told.send(1.0, "host-1", "a").send(1.0, "host-2", "b");
        told.add(2.0, Function::Crash, Key::default(), json!({"node": "controller"}));
        died(&mut told, 3.0, "agent-2");
        let key = Key { host: Some("host-2".into()), ..Key::default() };
        told.add(4.0, Function::FaultOn, key.clone(), json!(null));
        told.add(5.0, Function::FaultOff, key, json!(null));
        told.add(100.0, Function::Restart, Key::default(), json!({"node": "controller"}));
        for (host, wake) in [("host-1", "a"), ("host-2", "b")] {
            let key = Key { host: Some(host.into()), wake: Some(wake.into()), ..Key::default() };
            told.add(110.0, Function::Poll, key, json!(null));
        }
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 0), "{:?}", checked.violations);
    }

    #[test]
    fn an_agent_looks_after_its_own_and_a_host_that_is_cut_off_has_time() {
        let mut told = Told::default();
        let key = Key { host: Some("host-2".into()), ..Key::default() };
        told.send(1.0, "host-1", "a").send(1.0, "host-2", "b");
        told.add(1.5, Function::FaultOn, key.clone(), json!(null));
        died(&mut told, 2.0, "agent-2");
        told.add(50.0, Function::FaultOff, key, json!(null)).send(52.0, "host-2", "b");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (1, 0), "{:?}", checked.violations);
    }
}
