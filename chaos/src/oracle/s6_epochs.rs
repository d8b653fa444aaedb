//! S6: an agent takes no command of an epoch below one it has taken before, and no two sessions of a host have one epoch.

use std::collections::BTreeMap;

use super::Checked;
use crate::history::{Event, Function};

/// Epochs come with the messages on the link: a welcome opens a session under an epoch of its own, higher than all before;
/// whatever an agent acknowledges to have taken is of the highest it has seen.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S6", "nothing of a lower epoch after a higher one, one session per epoch");
    let mut sessions: BTreeMap<&str, &Event> = BTreeMap::new();
    // Two agents may claim one host, each with a journal of its own: one does not know what the other took.
    let mut taken: BTreeMap<(&str, u64), &Event> = BTreeMap::new();
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
                if before.epoch > event.epoch {
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
