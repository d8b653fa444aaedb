//! What happened when, by host, as the history tells it.

use std::collections::BTreeMap;

use crate::history::{Event, Function, Kind, homes};

/// Times are seconds since the run began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    pub end_s: f64,
    /// When the run began, in seconds since 1970.
    pub began_s: f64,
    pub cpu_ceiling_percent: f64,
    /// So long between two looks at the gates, in seconds; 0 where every change is told.
    pub gates_every_s: f64,
    /// By name.
    pub hosts: BTreeMap<String, Lane>,
    /// Deaths and restarts.
    pub marks: Vec<Mark>,
}

/// One host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lane {
    /// When, and how many percent.
    pub cpu: Vec<(f64, f64)>,
    pub wakes: Vec<Bar>,
    /// When its gate was closed, and why.
    pub closed: Vec<Stretch>,
    /// When it had no session with the controller.
    pub cut: Vec<Stretch>,
    /// Somebody asked for an instance, or found one asleep.
    pub asks: Vec<Mark>,
    /// A forecast is due.
    pub due: Vec<Mark>,
}

/// One attempt of a wake, from its command to its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub from_s: f64,
    /// None while there is no result.
    pub to_s: Option<f64>,
    pub instance: String,
    pub wake: String,
    pub attempt: u32,
    /// As the agent told it, in lower case; empty while there is none.
    pub outcome: String,
}

/// While something was so, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    pub from_s: f64,
    /// None when it was so to the end.
    pub to_s: Option<f64>,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at_s: f64,
    pub text: String,
}

impl Timeline {
    pub fn of(events: &[Event]) -> Self {
        let mut timeline = Self {
            end_s: events.last().map_or(0.0, Event::t_s),
            cpu_ceiling_percent: 70.0,
            ..Self::default()
        };
        for event in events {
            timeline.follow(event);
        }
        timeline.due(events);
        timeline
    }

    fn follow(&mut self, event: &Event) {
        let at_s = event.t_s();
        match event.f {
            Function::ConfigSet => {
                if let Some(ceiling) = event.number("cpu_ceiling_percent") {
                    self.cpu_ceiling_percent = ceiling;
                }
                if let Some(every_s) = event.number("gates_every_s") {
                    self.gates_every_s = every_s;
                }
                if let Some(began_ms) = event.number("began_ms") {
                    self.began_s = began_ms / 1e3;
                }
            }
            Function::LoadSample => {
                if let (Some(lane), Some(cpu)) = (self.lane(event), event.number("cpu_percent")) {
                    lane.cpu.push((at_s, cpu));
                }
            }
            Function::SlotGrant => self.begun(event),
            Function::SlotRelease => self.ended(event),
            Function::Gate if event.flag("last") != Some(true) => self.gate(event),
            Function::LeaseAcquire | Function::LeaseLost => self.session(event),
            Function::ManualWake => self.asked(event),
            Function::Crash | Function::Restart => {
                let what = if event.f == Function::Crash { "dies" } else { "starts again" };
                let text = format!("{} {what}", event.text("node").unwrap_or(&event.node));
                self.marks.push(Mark { at_s, text });
            }
            _ => {}
        }
    }

    fn due(&mut self, events: &[Event]) {
        let homes = homes(events);
        for event in events.iter().filter(|event| event.f == Function::Due) {
            if event.text("reason") != Some("REASON_FORECAST") {
                continue;
            }
            let instance = event.k.instance.as_deref().unwrap_or_default();
            let host = event.k.host.as_deref().or_else(|| homes.get(instance).copied());
            let lane = host.and_then(|host| self.hosts.get_mut(host));
            if let (Some(lane), Some(due_ms)) = (lane, event.number("due_at_ms")) {
                let text = format!("a forecast is due: start {instance}");
                lane.due.push(Mark { at_s: due_ms / 1e3 - self.began_s, text });
            }
        }
    }

    fn lane(&mut self, event: &Event) -> Option<&mut Lane> {
        let host = event.k.host.as_deref()?;
        Some(self.hosts.entry(host.to_owned()).or_default())
    }

    fn begun(&mut self, event: &Event) {
        let (from_s, key) = (event.t_s(), event.k.clone());
        let bar = Bar {
            from_s,
            to_s: None,
            instance: key.instance.unwrap_or_default(),
            wake: key.wake.unwrap_or_default(),
            attempt: key.attempt.unwrap_or(1),
            outcome: String::new(),
        };
        // A command that is sent again after a session was lost is the same attempt.
        if let Some(lane) = self.lane(event)
            && !lane.wakes.iter().any(|known| (&known.wake, known.attempt) == (&bar.wake, bar.attempt))
        {
            lane.wakes.push(bar);
        }
    }

    fn ended(&mut self, event: &Event) {
        let (at_s, attempt) = (event.t_s(), event.k.attempt.unwrap_or(1));
        let wake = event.k.wake.clone().unwrap_or_default();
        let outcome = event.text("outcome").unwrap_or_default();
        let outcome = outcome.trim_start_matches("OUTCOME_").to_lowercase();
        if let Some(lane) = self.lane(event) {
            let of_it = |bar: &&mut Bar| bar.wake == wake && bar.attempt == attempt && bar.to_s.is_none();
            if let Some(bar) = lane.wakes.iter_mut().find(of_it) {
                (bar.to_s, bar.outcome) = (Some(at_s), outcome);
            }
        }
    }

    /// A gate that says another reason is closed for another reason from then on.
    fn gate(&mut self, event: &Event) {
        let (at_s, is_open) = (event.t_s(), event.flag("free") == Some(true));
        let why = event.text("gate").unwrap_or("closed").to_owned();
        let Some(lane) = self.lane(event) else { return };
        end(&mut lane.closed, at_s);
        if !is_open {
            lane.closed.push(Stretch { from_s: at_s, to_s: None, why });
        }
    }

    fn session(&mut self, event: &Event) {
        let (at_s, is_lost) = (event.t_s(), event.f == Function::LeaseLost);
        let Some(lane) = self.lane(event) else { return };
        if !is_lost {
            end(&mut lane.cut, at_s);
        } else if lane.cut.last().is_none_or(|last| last.to_s.is_some()) {
            lane.cut.push(Stretch { from_s: at_s, to_s: None, why: "no session".into() });
        }
    }

    fn asked(&mut self, event: &Event) {
        let instance = event.k.instance.clone().unwrap_or_default();
        let text = match (event.kind, event.v.is_null()) {
            (_, true) => format!("somebody finds {instance} asleep"),
            (Kind::Ok, _) => format!("somebody asks for {instance}, and gets a yes"),
            (Kind::Info | Kind::Invoke, _) => format!("somebody asks for {instance}, and nobody answers"),
            (Kind::Fail, _) => format!("somebody asks for {instance}, and gets a no"),
        };
        let at_s = event.t_s();
        if let Some(lane) = self.lane(event) {
            lane.asks.push(Mark { at_s, text });
        }
    }
}

/// The last stretch is over, where it is not yet.
fn end(stretches: &mut [Stretch], at_s: f64) {
    if let Some(last) = stretches.last_mut().filter(|last| last.to_s.is_none()) {
        last.to_s = Some(at_s);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::{Key, Kind};

    fn event(t_s: i64, f: Function, attempt: Option<u32>, v: Value) -> Event {
        let wake = attempt.map(|_| "w1".to_owned());
        let instance = attempt.map(|_| "dev001".to_owned());
        Event {
            i: t_s as u64,
            t: t_s * 1_000_000_000,
            wall: String::new(),
            node: "host-1".into(),
            p: "host-1".into(),
            epoch: 0,
            kind: Kind::Ok,
            f,
            k: Key { host: Some("host-1".into()), wake, instance, attempt, ..Key::default() },
            v,
            cause: None,
        }
    }

    #[test]
    fn attempts_and_load_are_laid_out_in_time() {
        let settings = json!({"cpu_ceiling_percent": 60.0, "began_ms": 90_000});
        let timeline = Timeline::of(&[
            event(0, Function::ConfigSet, None, settings),
            event(1, Function::LoadSample, None, json!({"cpu_percent": 12.0})),
            event(3, Function::SlotGrant, Some(1), json!({})),
            event(4, Function::SlotGrant, Some(1), json!({})),
            event(7, Function::SlotRelease, Some(1), json!({"outcome": "OUTCOME_WOKEN"})),
            event(8, Function::SlotGrant, Some(2), json!({})),
            event(9, Function::Crash, None, json!({"node": "controller"})),
        ]);
        assert_eq!((timeline.end_s, timeline.cpu_ceiling_percent, timeline.began_s), (9.0, 60.0, 90.0));
        let lane = &timeline.hosts["host-1"];
        assert_eq!(lane.cpu, [(1.0, 12.0)]);
        let spans: Vec<_> =
            lane.wakes.iter().map(|bar| (bar.from_s, bar.to_s, bar.outcome.as_str())).collect();
        assert_eq!(spans, [(3.0, Some(7.0), "woken"), (8.0, None, "")]);
        assert_eq!(timeline.marks[0].text, "controller dies");
    }

    #[test]
    fn what_is_due_is_laid_out_on_the_host_of_its_instance() {
        let mut due =
            event(2, Function::Due, Some(1), json!({"reason": "REASON_FORECAST", "due_at_ms": 95_000}));
        due.k.host = None;
        let mut of_person =
            event(3, Function::Due, Some(1), json!({"reason": "REASON_DEMAND", "due_at_ms": 96_000}));
        of_person.k.host = None;
        let timeline = Timeline::of(&[
            event(0, Function::ConfigSet, None, json!({"began_ms": 90_000, "gates_every_s": 20.0})),
            due,
            of_person,
            event(5, Function::SlotGrant, Some(1), json!({})),
        ]);
        let text = "a forecast is due: start dev001".to_owned();
        assert_eq!(timeline.hosts["host-1"].due, [Mark { at_s: 5.0, text }]);
        assert!((timeline.gates_every_s - 20.0).abs() < 1e-9);
    }

    #[test]
    fn closed_gates_and_lost_sessions_last_until_they_are_over() {
        let gate = |free: bool, gate: &str| json!({"free": free, "gate": gate});
        let timeline = Timeline::of(&[
            event(1, Function::Gate, None, gate(false, "too hot")),
            event(2, Function::Gate, None, gate(false, "stale")),
            event(3, Function::LeaseLost, None, Value::Null),
            event(4, Function::LeaseLost, None, Value::Null),
            event(5, Function::Gate, None, gate(true, "open")),
            event(6, Function::LeaseAcquire, None, Value::Null),
            event(7, Function::LeaseLost, None, Value::Null),
            event(8, Function::ManualWake, Some(1), json!({"what": "ask"})),
            event(9, Function::Gate, None, json!({"last": true, "active_wakes": 0})),
        ]);
        let lane = &timeline.hosts["host-1"];
        let spans = |stretches: &[Stretch]| {
            stretches.iter().map(|one| (one.from_s, one.to_s, one.why.clone())).collect::<Vec<_>>()
        };
        let closed = [(1.0, Some(2.0), "too hot".to_owned()), (2.0, Some(5.0), "stale".to_owned())];
        assert_eq!(spans(&lane.closed), closed);
        let cut = [(3.0, Some(6.0), "no session".to_owned()), (7.0, None, "no session".to_owned())];
        assert_eq!(spans(&lane.cut), cut);
        assert_eq!(lane.asks[0].text, "somebody asks for dev001, and gets a yes");
    }
}
