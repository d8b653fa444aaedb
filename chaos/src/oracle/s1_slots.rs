//! S1: at every instant no host has more wakes in progress than its limit at the time of the grant.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Settings};
use crate::history::{Event, Function};

/// Sweeps over grants and releases per host. A command sent again for a wake that holds a permit takes no second one; a
/// wake that has its end holds none, and an attempt whose result was told is over, even where its command is sent once more.
/// What nobody was heard of by its deadline is over then, however much later somebody sees that it is.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S1", "active(h) <= limit(h) in force at the grant");
    let mut settings = Settings::default();
    // host -> wake -> index of the grant
    let mut active: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut over: BTreeSet<(&str, u32)> = BTreeSet::new();
    let unheard = unheard(events);
    // wake -> when the time of its newest command is up
    let mut deadlines: BTreeMap<&str, f64> = BTreeMap::new();
    for event in events {
        settings.follow(event);
        let wake = event.k.wake.as_deref().unwrap_or_default();
        let host = event.k.host.as_deref().unwrap_or_default();
        let attempt = event.k.attempt.map(|attempt| (wake, attempt));
        match event.f {
            Function::SlotGrant if attempt.is_some_and(|one| over.contains(&one)) => {}
            Function::SlotGrant => {
                let held = active.entry(host).or_default();
                checked.checked += 1;
                let is_up = |wake: &str| deadlines.get(wake).is_some_and(|at_s| *at_s <= event.t_s());
                held.retain(|wake, _| !(unheard.contains(wake) && is_up(wake)));
                if let Some(deadline_ms) = event.number("deadline_ms") {
                    deadlines.insert(wake, (deadline_ms - settings.began_ms as f64) / 1000.0);
                }
                // A limit that was lowered binds those who come, not one that runs and is told of again.
                let is_new = !held.contains_key(wake);
                held.entry(wake).or_insert(event.i);
                if is_new && held.len() > settings.host_wakes_max as usize {
                    let text = format!(
                        "{} wakes in progress on {host}, at most {}",
                        held.len(),
                        settings.host_wakes_max
                    );
                    let chain: Vec<u64> = held.values().copied().filter(|i| *i != event.i).collect();
                    checked.violated(event, chain, text);
                }
            }
            Function::SlotRelease => {
                active.entry(host).or_default().remove(wake);
                over.extend(attempt);
            }
            Function::Terminal => {
                for held in active.values_mut() {
                    held.remove(wake);
                }
            }
            _ => {}
        }
    }
    checked
}

/// Wakes that ended because their deadline had come.
fn unheard(events: &[Event]) -> BTreeSet<&str> {
    let ends = events.iter().filter(|event| event.f == Function::Terminal);
    let at_deadline = |event: &&Event| matches!(event.text("end"), Some("host_lost" | "timed_out"));
    ends.filter(at_deadline).filter_map(|event| event.k.wake.as_deref()).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};

    fn limit_two() -> Told {
        Told::with(Settings { host_wakes_max: 2, ..Settings::default() })
    }

    #[test]
    fn a_third_wake_on_a_host_of_two_is_caught() {
        let mut told = limit_two();
        told.grant(1.0, "h1", "a").grant(1.0, "h2", "x").grant(2.0, "h1", "b").grant(3.0, "h1", "c");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (4, 1));
        assert_eq!(checked.violations[0].chain, [1, 3, 4]);
        assert_eq!(checked.violations[0].text, "3 wakes in progress on h1, at most 2");
    }

    #[test]
    fn released_and_ended_wakes_and_repeated_commands_do_not_count() {
        let mut told = limit_two();
        told.grant(1.0, "h1", "a").grant(1.0, "h1", "a").grant(2.0, "h1", "b");
        told.release(3.0, "h1", "a").grant(3.0, "h1", "c");
        told.terminal(4.0, "b", "host_lost").grant(4.0, "h1", "d");
        assert!(check(&told.0).violations.is_empty());
    }

    #[test]
    fn a_command_sent_once_more_after_its_result_takes_no_place_and_another_attempt_does() {
        let mut told = limit_two();
        let say = |told: &mut Told, t_s: f64, f: Function, wake: &str, attempt: u32| {
            let (wake, host) = (Some(wake.into()), Some("h1".into()));
            let key =
                crate::history::Key { wake, host, attempt: Some(attempt), ..crate::history::Key::default() };
            told.add(t_s, f, key, serde_json::Value::Null);
        };
        say(&mut told, 1.0, Function::SlotGrant, "a", 1);
        say(&mut told, 2.0, Function::SlotRelease, "a", 1);
        say(&mut told, 3.0, Function::SlotGrant, "a", 1);
        say(&mut told, 4.0, Function::SlotGrant, "b", 1);
        say(&mut told, 5.0, Function::SlotGrant, "c", 1);
        assert!(check(&told.0).violations.is_empty());
        say(&mut told, 6.0, Function::SlotGrant, "a", 2);
        assert_eq!(check(&told.0).violations.len(), 1);
    }

    #[test]
    fn a_wake_that_ended_at_its_deadline_holds_no_place_until_somebody_sees_it() {
        let told = |end: &str, at_s: f64| {
            let mut told = limit_two();
            told.grant(1.0, "h1", "a");
            told.0.last_mut().expect("just told").v = serde_json::json!({"deadline_ms": 60_000});
            told.grant(1.0, "h1", "b").grant(at_s, "h1", "c").terminal(90.0, "a", end);
            check(&told.0).violations.len()
        };
        assert_eq!((told("host_lost", 61.0), told("timed_out", 61.0)), (0, 0));
        assert_eq!(told("host_lost", 59.0), 1, "it was not up yet");
        assert_eq!(told("woken", 61.0), 1, "it was heard of later, so it went on");
    }

    #[test]
    fn the_limit_is_the_one_in_force_at_the_grant() {
        let mut told = limit_two();
        told.grant(1.0, "h1", "a").grant(1.0, "h1", "b");
        told.add(
            2.0,
            Function::ConfigSet,
            crate::history::Key::default(),
            serde_json::json!({"host_wakes_max": 1}),
        );
        assert!(check(&told.0).violations.is_empty(), "lowering it later breaks nothing that runs");
        told.grant(2.5, "h1", "b");
        assert!(check(&told.0).violations.is_empty(), "nor does telling it again");
        told.release(3.0, "h1", "a").grant(4.0, "h1", "c");
        assert_eq!(check(&told.0).violations.len(), 1);
    }
}
