//! S13: an agent does only what it was told to do: it calls an endpoint only for a wake the controller has sent to it, and
//! for the instance that this wake is of.

use std::collections::{BTreeMap, BTreeSet};

use super::Checked;
use crate::history::{Event, Function};

/// Judged are calls, which the endpoint's side of the socket tells of, and what agents say they have taken. A command that
/// comes again, late or twice, is one that was sent.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S13", "an agent carries out only commands that were sent to its host");
    let mut sent: BTreeMap<&str, Sent<'_>> = BTreeMap::new();
    for event in events {
        let Some(wake) = event.k.wake.as_deref() else { continue };
        let (host, instance) = (event.k.host.as_deref(), event.k.instance.as_deref());
        match event.f {
            Function::CommandSend => {
                let command = sent.entry(wake).or_insert_with(|| Sent { i: event.i, ..Sent::default() });
                command.hosts.extend(host);
                command.instances.extend(instance);
            }
            Function::CommandAck => {
                checked.checked += 1;
                let host = host.unwrap_or_default();
                match sent.get(wake) {
                    None => {
                        checked.violated(event, [], format!("{host} took wake {wake}, which nobody sent"));
                    }
                    Some(command) if !command.hosts.contains(host) => {
                        let text = format!("{host} took wake {wake}, which was sent to another host");
                        checked.violated(event, [command.i], text);
                    }
                    Some(_) => {}
                }
            }
            Function::CallEndpoint => {
                checked.checked += 1;
                let instance = instance.unwrap_or_default();
                match sent.get(wake) {
                    None => {
                        let text = format!("{instance} was called for wake {wake}, which nobody sent");
                        checked.violated(event, [], text);
                    }
                    Some(command) if !command.instances.contains(instance) => {
                        let text =
                            format!("{instance} was called for wake {wake}, which is another instance's");
                        checked.violated(event, [command.i], text);
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    checked
}

/// The commands of a wake.
#[derive(Debug, Default)]
struct Sent<'a> {
    /// The first of them.
    i: u64,
    hosts: BTreeSet<&'a str>,
    instances: BTreeSet<&'a str>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn of(host: &str, instance: &str, wake: &str) -> Key {
        let (host, instance, wake) = (Some(host.into()), Some(instance.into()), Some(wake.into()));
        Key { host, instance, wake, attempt: Some(1), ..Key::default() }
    }

    fn found(tell: impl FnOnce(&mut Told)) -> (u64, Vec<String>) {
        let mut told = Told::default();
        told.add(1.0, Function::CommandSend, of("h1", "dev1", "a"), json!(null));
        tell(&mut told);
        let checked = check(&told.0);
        (checked.checked, checked.violations.into_iter().map(|violation| violation.text).collect())
    }

    #[test]
    fn what_was_sent_may_be_taken_and_called() {
        let (checked, texts) = found(|told| {
            told.add(2.0, Function::CommandAck, of("h1", "dev1", "a"), json!(null)).call(3.0, "dev1", "a");
        });
        assert_eq!((checked, texts.len()), (2, 0));
    }

    #[test]
    fn a_command_of_another_host_or_of_nobody_is_caught() {
        let (_, texts) = found(|told| {
            told.add(2.0, Function::CommandAck, of("h2", "dev1", "a"), json!(null));
            told.add(2.0, Function::CommandAck, of("h1", "dev1", "b"), json!(null));
        });
        assert_eq!(
            texts,
            ["h2 took wake a, which was sent to another host", "h1 took wake b, which nobody sent"]
        );
    }

    #[test]
    fn a_call_for_another_instance_or_before_the_command_is_caught() {
        let (_, texts) = found(|told| {
            told.call(2.0, "dev2", "a").call(2.0, "dev3", "b");
            told.add(3.0, Function::CommandSend, of("h1", "dev3", "b"), json!(null));
        });
        let other = "dev2 was called for wake a, which is another instance's";
        assert_eq!(texts, [other, "dev3 was called for wake b, which nobody sent"]);
    }
}
