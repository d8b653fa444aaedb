//! Part of S5: an agent says that an instance serves only when somebody saw it serve.

use std::collections::{BTreeMap, BTreeSet};

use super::Checked;
use crate::history::{Event, Function};

/// What the looks at an instance showed since its wake was sent.
struct Looks<'a> {
    instance: &'a str,
    last: Option<&'a Event>,
    is_seen: bool,
}

/// The looks are those that the instances themselves answered. Where none is in the history, nothing can be said.
pub(super) fn check(checked: &mut Checked, events: &[Event]) {
    let mut sent: BTreeMap<&str, Looks<'_>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for event in events {
        let (wake, instance) = (event.k.wake.as_deref(), event.k.instance.as_deref());
        match (event.f, wake, instance) {
            (Function::CommandSend, Some(wake), Some(instance)) => {
                sent.entry(wake).or_insert(Looks { instance, last: None, is_seen: false });
            }
            (Function::Poll, _, Some(instance)) => {
                let Some(serving) = event.flag("serving") else { continue };
                for looks in sent.values_mut().filter(|looks| looks.instance == instance) {
                    looks.last = Some(event);
                    looks.is_seen |= serving;
                }
            }
            (Function::SlotRelease, Some(wake), _) if says_that_it_serves(event) && told.insert(wake) => {
                let Some(Looks { instance, last: Some(last), is_seen: false }) = sent.get(wake) else {
                    continue;
                };
                let text =
                    format!("{instance} is said to serve, and nobody saw it since wake {wake} was sent");
                checked.violated(event, [last.i], text);
            }
            _ => {}
        }
    }
}

fn says_that_it_serves(event: &Event) -> bool {
    matches!(event.text("outcome"), Some("OUTCOME_WOKEN" | "OUTCOME_ALREADY_AWAKE"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    fn told(looks: &[bool]) -> Vec<String> {
        let key = |instance: Option<&str>| Key {
            wake: Some("a".into()),
            instance: instance.map(Into::into),
            ..Key::default()
        };
        let mut told = Told::default();
        told.add(1.0, Function::CommandSend, key(Some("dev1")), json!(null));
        for serving in looks {
            let key = Key { wake: None, ..key(Some("dev1")) };
            told.add(2.0, Function::Poll, key, json!({"serving": serving}));
        }
        for _ in 0..2 {
            told.add(3.0, Function::SlotRelease, key(None), json!({"outcome": "OUTCOME_WOKEN"}));
        }
        let mut checked = Checked::new("S5", "");
        check(&mut checked, &told.0);
        checked.violations.into_iter().map(|violation| violation.text).collect()
    }

    #[test]
    fn who_is_said_to_serve_was_seen_to() {
        assert_eq!(
            told(&[false, false]),
            ["dev1 is said to serve, and nobody saw it since wake a was sent"],
            "once, however often it is told"
        );
        assert!(told(&[false, true]).is_empty());
        assert!(told(&[]).is_empty(), "nobody looked on the instances' side");
    }
}
