//! What happened when, by host, as the history tells it.

use std::collections::BTreeMap;

use crate::history::{Event, Function};

/// Times are seconds since the run began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    pub end_s: f64,
    pub cpu_ceiling_percent: f64,
    /// By name.
    pub hosts: BTreeMap<String, Lane>,
    pub faults: Vec<Band>,
    /// Deaths and restarts.
    pub marks: Vec<Mark>,
}

/// One host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lane {
    /// When, and how many percent.
    pub cpu: Vec<(f64, f64)>,
    pub wakes: Vec<Bar>,
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

/// A fault while it was on.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    pub kind: String,
    pub from_s: f64,
    /// None when it was never switched off.
    pub to_s: Option<f64>,
    pub hits: u64,
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
        timeline
    }

    fn follow(&mut self, event: &Event) {
        let at_s = event.t_s();
        match event.f {
            Function::ConfigSet => {
                if let Some(ceiling) = event.number("cpu_ceiling_percent") {
                    self.cpu_ceiling_percent = ceiling;
                }
            }
            Function::LoadSample => {
                if let (Some(lane), Some(cpu)) = (self.lane(event), event.number("cpu_percent")) {
                    lane.cpu.push((at_s, cpu));
                }
            }
            Function::SlotGrant => self.begun(event),
            Function::SlotRelease => self.ended(event),
            Function::FaultOn => {
                let kind = event.text("kind").unwrap_or("fault").to_owned();
                self.faults.push(Band { kind, from_s: at_s, to_s: None, hits: 0 });
            }
            Function::FaultHit => {
                if let Some(band) = self.open_fault(event) {
                    band.hits += 1;
                }
            }
            Function::FaultOff => {
                if let Some(band) = self.open_fault(event) {
                    band.to_s = Some(at_s);
                }
            }
            Function::Crash | Function::Restart => {
                let what = if event.f == Function::Crash { "dies" } else { "starts again" };
                let text = format!("{} {what}", event.text("node").unwrap_or(&event.node));
                self.marks.push(Mark { at_s, text });
            }
            _ => {}
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

    fn open_fault(&mut self, event: &Event) -> Option<&mut Band> {
        let kind = event.text("kind").unwrap_or("fault");
        self.faults.iter_mut().rev().find(|band| band.kind == kind && band.to_s.is_none())
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
    fn attempts_faults_and_load_are_laid_out_in_time() {
        let timeline = Timeline::of(&[
            event(0, Function::ConfigSet, None, json!({"cpu_ceiling_percent": 60.0})),
            event(1, Function::LoadSample, None, json!({"cpu_percent": 12.0})),
            event(2, Function::FaultOn, None, json!({"kind": "link.reset"})),
            event(3, Function::SlotGrant, Some(1), json!({})),
            event(4, Function::SlotGrant, Some(1), json!({})),
            event(5, Function::FaultHit, None, json!({"kind": "link.reset"})),
            event(6, Function::FaultOff, None, json!({"kind": "link.reset"})),
            event(7, Function::SlotRelease, Some(1), json!({"outcome": "OUTCOME_WOKEN"})),
            event(8, Function::SlotGrant, Some(2), json!({})),
            event(9, Function::Crash, None, json!({"node": "controller"})),
        ]);
        assert_eq!((timeline.end_s, timeline.cpu_ceiling_percent), (9.0, 60.0));
        let lane = &timeline.hosts["host-1"];
        assert_eq!(lane.cpu, [(1.0, 12.0)]);
        let spans: Vec<_> =
            lane.wakes.iter().map(|bar| (bar.from_s, bar.to_s, bar.outcome.as_str())).collect();
        assert_eq!(spans, [(3.0, Some(7.0), "woken"), (8.0, None, "")]);
        assert_eq!((timeline.faults[0].to_s, timeline.faults[0].hits), (Some(6.0), 1));
        assert_eq!(timeline.marks[0].text, "controller dies");
    }
}
