//! S6: an agent takes no command of an epoch below one it knows of, and no two sessions of a host have one epoch.

use std::collections::BTreeMap;

use super::Checked;
use crate::history::{Event, Function};

/// A command, as an agent with its journal knows it: the wake and the attempt.
type Command<'a> = ((&'a str, u64), Option<&'a str>, Option<u32>);

/// Epochs come with the messages on the link: a welcome opens a session under an epoch of its own, higher than all before;
/// whatever an agent acknowledges to have taken is of the highest it has seen. It may take long to acknowledge a command, as the
/// attempt before must have ended, so that the first acknowledgement may come in a session that was opened later. A second one
/// under the old epoch answers a command that was given after the welcome of that session.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S6", "nothing of a lower epoch after a higher one, one session per epoch");
    let mut sessions: BTreeMap<&str, &Event> = BTreeMap::new();
    // Two agents may claim one host, each with a journal of its own: one does not know what the other took.
    let mut taken: BTreeMap<(&str, u64), &Event> = BTreeMap::new();
    let mut answered: BTreeMap<Command<'_>, &Event> = BTreeMap::new();
    for event in events {
        let host = event.k.host.as_deref().unwrap_or_default();
        match event.f {
            Function::LeaseAcquire => {
                checked.checked += 1;
                if let Some(before) =
                    sessions.insert(host, event).filter(|before| before.epoch >= event.epoch)
                {
                    let text = format!(
                        "{host} was welcomed under epoch {} after epoch {}",
                        event.epoch, before.epoch
                    );
                    checked.violated(event, [before.i], text);
                }
            }
            Function::CommandAck => {
                checked.checked += 1;
                let agent = (host, event.number("journal").unwrap_or_default() as u64);
                let before = *taken.entry(agent).or_insert(event);
                let session = event.number("session").unwrap_or_default() as u64;
                let first = answered.insert((agent, event.k.wake.as_deref(), event.k.attempt), event);
                if let Some(first) = first.filter(|first| first.epoch == event.epoch && event.epoch < session)
                {
                    let text = format!(
                        "{host} took a command of epoch {} again in its session of epoch {session}",
                        event.epoch
                    );
                    checked.violated(event, [first.i], text);
                } else if before.epoch > event.epoch {
                    let text = format!(
                        "{host} took a command of epoch {} after one of epoch {}",
                        event.epoch, before.epoch
                    );
                    checked.violated(event, [before.i], text);
                } else {
                    taken.insert(agent, event);
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

    fn told(all: &[(Function, &str, u64)]) -> Vec<String> {
        let mut told = Told::default();
        for (n, (f, host, epoch)) in all.iter().enumerate() {
            let key = Key { host: Some((*host).into()), ..Key::default() };
            told.add(n as f64, *f, key, json!(null)).epoch(*epoch);
        }
        let checked = check(&told.0);
        assert_eq!(checked.checked, all.len() as u64);
        checked.violations.into_iter().map(|violation| violation.text).collect()
    }

    use Function::{CommandAck, LeaseAcquire};

    #[test]
    fn an_old_command_that_was_taken_is_caught() {
        let texts = told(&[(CommandAck, "h1", 4), (CommandAck, "h1", 5), (CommandAck, "h1", 4)]);
        assert_eq!(texts, ["h1 took a command of epoch 4 after one of epoch 5"]);
    }

    #[test]
    fn what_one_of_two_agents_took_binds_only_itself() {
        let mut told = Told::default();
        for (journal, epoch) in [(1, 4), (2, 5), (1, 4), (2, 4)] {
            let key = Key { host: Some("h1".into()), ..Key::default() };
            told.add(1.0, CommandAck, key, json!({"journal": journal})).epoch(epoch);
        }
        let texts: Vec<_> = check(&told.0).violations.into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["h1 took a command of epoch 4 after one of epoch 5"]);
    }

    #[test]
    fn a_command_that_is_told_again_after_its_session_is_caught() {
        let acks = |acks: &[(&str, u32, u64, u64)]| {
            let mut told = Told::default();
            for (wake, attempt, epoch, session) in acks.iter().copied() {
                let key = Key {
                    host: Some("h1".into()),
                    wake: Some(wake.into()),
                    attempt: Some(attempt),
                    ..Key::default()
                };
                told.add(1.0, CommandAck, key, json!({"journal": 1, "session": session})).epoch(epoch);
            }
            check(&told.0).violations.into_iter().map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(
            acks(&[("w1", 1, 4, 4), ("w1", 1, 4, 5)]),
            ["h1 took a command of epoch 4 again in its session of epoch 5"]
        );
        // Told twice while it was in force; given again under the epoch of the next session; acknowledged late.
        assert_eq!(acks(&[("w1", 1, 4, 4), ("w1", 1, 4, 4), ("w1", 1, 5, 5)]), [""; 0]);
        assert_eq!(acks(&[("w1", 1, 4, 4), ("w1", 2, 4, 5), ("w2", 1, 4, 5)]), [""; 0]);
    }

    #[test]
    fn two_sessions_under_one_epoch_are_caught() {
        let texts = told(&[(LeaseAcquire, "h1", 4), (LeaseAcquire, "h2", 4), (LeaseAcquire, "h1", 4)]);
        assert_eq!(texts, ["h1 was welcomed under epoch 4 after epoch 4"]);
    }

    #[test]
    fn epochs_that_grow_are_held() {
        let all =
            [(LeaseAcquire, "h1", 1), (CommandAck, "h1", 1), (LeaseAcquire, "h1", 3), (CommandAck, "h1", 3)];
        assert_eq!(told(&all), [""; 0]);
    }
}
