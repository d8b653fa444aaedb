//! S15: a wake fails only so often, and retries are few beside first attempts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Checked, Settings};
use crate::history::{Event, Function};

/// Retries within this many seconds are compared with the first attempts of the same time.
const SPAN_S: f64 = 60.0;
/// Share of the first attempts that may be retried, and how many always may.
const SHARE: f64 = 0.10;
const FLOOR: f64 = 10.0;

/// Counts each attempt once, however often its command was sent, and the failures that agents told.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S15", "attempts per wake <= N, retries <= 10 % of first attempts + 10");
    let mut settings = Settings::default();
    let mut sent = BTreeSet::new();
    let (mut firsts, mut retries) = (VecDeque::new(), VecDeque::new());
    let mut failed: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for event in events {
        settings.follow(event);
        let Some(wake) = event.k.wake.as_deref() else { continue };
        let attempt = event.k.attempt.unwrap_or(1);
        match event.f {
            Function::CommandSend if sent.insert((wake, attempt)) => {
                checked.checked += 1;
                if attempt == 1 { &mut firsts } else { &mut retries }.push_back(event.t_s());
                for times in [&mut firsts, &mut retries] {
                    while times.front().is_some_and(|t_s| event.t_s() - t_s >= SPAN_S) {
                        times.pop_front();
                    }
                }
                if attempt > 1 && retries.len() as f64 > FLOOR + SHARE * firsts.len() as f64 {
                    let text =
                        format!("{} retries beside {} first attempts in 60 s", retries.len(), firsts.len());
                    checked.violated(event, [], text);
                }
            }
            Function::SlotRelease if event.text("outcome") == Some("OUTCOME_FAILED") => {
                let failed = failed.entry(wake).or_default();
                failed.insert(attempt);
                if failed.len() > settings.attempts_max as usize {
                    let text = format!(
                        "wake {wake} failed {} times, at most {}",
                        failed.len(),
                        settings.attempts_max
                    );
                    checked.violated(event, [], text);
                }
            }
            _ => {}
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn key(wake: &str, attempt: u32) -> Key {
        Key { wake: Some(wake.into()), attempt: Some(attempt), host: Some("h1".into()), ..Key::default() }
    }

    #[test]
    fn a_wake_that_fails_too_often_is_caught() {
        let mut told = Told::with(Settings { attempts_max: 2, ..Settings::default() });
        for attempt in [1, 1, 2, 3] {
            told.add(
                f64::from(attempt),
                Function::SlotRelease,
                key("w", attempt),
                json!({"outcome": "OUTCOME_FAILED"}),
            );
        }
        let checked = check(&told.0);
        assert_eq!(checked.violations.len(), 1);
        assert_eq!(checked.violations[0].text, "wake w failed 3 times, at most 2");
    }

    #[test]
    fn retries_beyond_the_budget_are_caught_and_are_forgotten_after_a_minute() {
        let mut told = Told::default();
        for n in 0..11 {
            told.add(f64::from(n), Function::CommandSend, key(&format!("w{n}"), 2), json!(null));
            told.add(f64::from(n), Function::CommandSend, key(&format!("w{n}"), 2), json!(null));
        }
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (11, 1));
        told.add(75.0, Function::CommandSend, key("later", 2), json!(null));
        assert_eq!(check(&told.0).violations.len(), 1);
    }
}
