//! S7: while everything is stopped, no endpoint is called.

use super::Checked;
use crate::history::{Event, Function, Kind};

/// How long stopping may take to reach everybody.
const EFFECTIVE_S: f64 = 5.0;

/// From five seconds after the controller has said that everything is stopped until somebody asks it to go on. A time
/// shorter than that proves nothing and is not counted.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S7", "no call from 5 s after the lever was pulled until it is pushed back");
    let mut pulled: Option<&Event> = None;
    for event in events {
        match (event.f, event.kind, event.flag("stopped")) {
            (Function::Lever, Kind::Ok, Some(true)) => drop(pulled.get_or_insert(event)),
            (Function::Lever, Kind::Invoke, Some(false)) => {
                let was_long = |lever: &Event| event.t_s() - lever.t_s() > EFFECTIVE_S;
                checked.checked += u64::from(pulled.take().is_some_and(was_long));
            }
            (Function::CallEndpoint, ..) => {
                let Some(lever) = pulled.filter(|lever| event.t_s() - lever.t_s() > EFFECTIVE_S) else {
                    continue;
                };
                let instance = event.k.instance.as_deref().unwrap_or_default();
                let since_s = event.t_s() - lever.t_s();
                let text = format!("{instance} was called {since_s:.1} s after everything was stopped");
                checked.violated(event, [lever.i], text);
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

    fn lever(told: &mut Told, t_s: f64, stopped: bool) {
        for kind in [Kind::Invoke, Kind::Ok] {
            told.add(t_s, Function::Lever, Key::default(), json!({"stopped": stopped})).kind(kind);
        }
    }

    #[test]
    fn a_call_while_everything_is_stopped_is_caught() {
        let mut told = Told::default();
        lever(&mut told, 10.0, true);
        told.call(14.0, "dev1", "a").call(15.5, "dev2", "b");
        lever(&mut told, 20.0, false);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (1, 1));
        assert_eq!(checked.violations[0].text, "dev2 was called 5.5 s after everything was stopped");
    }

    #[test]
    fn calls_before_and_after_are_held_and_a_short_stop_proves_nothing() {
        let mut told = Told::default();
        told.call(1.0, "dev1", "a");
        lever(&mut told, 10.0, true);
        lever(&mut told, 14.0, false);
        told.call(21.0, "dev2", "b");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (0, 0));
    }
}
