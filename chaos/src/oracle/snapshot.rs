//! A wake as the controller showed it at one moment, in an event: its state, its end, and every move it had made.

use serde_json::{Value, json};

use crate::history::{Event, Function};

/// One look at a wake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot<'a> {
    pub(super) event: &'a Event,
    pub(super) wake: &'a str,
    pub(super) instance: &'a str,
    /// Looked at when everything was over.
    pub(super) is_last: bool,
    pub(super) moves: &'a [Value],
}

/// The value of the event that tells of a look; `story` is what `/v1/wakes/{id}` answered.
pub fn wake(story: &Value, is_last: bool) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = story["transitions"].as_array();
    let moves = told.into_iter().flatten().map(|moved| {
        let [event, from, to, at] = ["event", "from", "to", "at"].map(|name| text(&moved[name]));
        format!("{} {event} {from}>{to} {at}", moved["seq"])
    });
    json!({
        "last": is_last,
        "state": story["state"],
        "end": story["end"],
        "reason": story["reason"],
        "due_at": story["due_at"],
        "verdict": story["verdict"],
        "attempt": story["attempt"],
        "moves": moves.collect::<Vec<_>>(),
    })
}

impl<'a> Snapshot<'a> {
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        if event.f != Function::StoreCommit {
            return None;
        }
        let moves = event.v.get("moves")?.as_array()?;
        let (wake, instance) = (event.k.wake.as_deref()?, event.k.instance.as_deref()?);
        Some(Self { event, wake, instance, is_last: event.flag("last") == Some(true), moves })
    }

    /// All of the last look.
    pub(super) fn last(events: &'a [Event]) -> impl Iterator<Item = Self> {
        events.iter().filter_map(Self::of).filter(|snapshot| snapshot.is_last)
    }

    pub(super) fn end(&self) -> Option<&'a str> {
        self.event.text("end")
    }

    pub(super) fn reason(&self) -> &'a str {
        self.event.text("reason").unwrap_or_default()
    }

    /// Whether it moved by an event of this name.
    pub(super) fn moved_by(&self, event: &str) -> bool {
        let is_it = |told: &str| told.split(' ').nth(1) == Some(event);
        self.moves.iter().filter_map(Value::as_str).any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};
    use crate::history::Key;

    #[test]
    fn a_story_is_told_in_short_and_read_again() {
        let story = json!({
            "state": "ended", "end": "woken", "reason": "demand", "verdict": null, "attempt": 1,
            "transitions": [
                {"seq": 1, "event": "created", "from": "", "to": "queued", "at": "t1", "epoch": 0},
                {"seq": 2, "event": "dispatch", "from": "queued", "to": "dispatched", "at": "t2", "epoch": 3},
            ],
        });
        let mut told = Told::default();
        let key = Key { wake: Some("w".into()), instance: Some("dev1".into()), ..Key::default() };
        told.add(1.0, Function::StoreCommit, key, wake(&story, true));
        let snapshot = Snapshot::last(&told.0).next().expect("one");
        assert_eq!((snapshot.wake, snapshot.end(), snapshot.reason()), ("w", Some("woken"), "demand"));
        assert_eq!(snapshot.moves[1], "2 dispatch queued>dispatched t2");
        assert!(snapshot.moved_by("dispatch") && !snapshot.moved_by("queued"));
    }
}
