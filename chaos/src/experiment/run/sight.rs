//! Which of the sights a history shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, Function, Kind, homes};

/// Of the named sights, how often each was seen; `None` for one that this version cannot tell.
pub(super) fn seen(names: &[String], events: &[Event]) -> BTreeMap<String, Option<u64>> {
    let all = all(events);
    names.iter().map(|name| (name.clone(), all.get(name.as_str()).copied())).collect()
}

/// What is known of the run up to an event.
#[derive(Default)]
struct Story<'a> {
    /// The hosts of instances.
    homes: BTreeMap<&'a str, &'a str>,
    /// Wakes in flight, and their hosts.
    running: BTreeMap<&'a str, &'a str>,
    asked: BTreeSet<&'a str>,
    /// Wakes that wait for their start.
    waiting: BTreeSet<&'a str>,
    lost: BTreeSet<&'a str>,
    /// Which of the journals of a host had its last session.
    journals: BTreeMap<&'a str, f64>,
    timed_out: BTreeSet<&'a str>,
    limit: Option<f64>,
    /// Commands that were acknowledged: wake, attempt and epoch.
    acked: BTreeSet<(&'a str, Option<u32>, u64)>,
    /// Instances that an endpoint told to wait, by the endpoint, and until when.
    told_to_wait: BTreeMap<(&'a str, &'a str), f64>,
    /// Instances that were called, and nobody knows whether to any effect.
    unknown: BTreeSet<&'a str>,
    /// Forecasts that wait for their start: their hosts, and when they are due.
    forecast: BTreeMap<&'a str, (&'a str, f64)>,
    began_ms: f64,
    /// When clocks are changed.
    changes_at_ms: Option<f64>,
    /// Nobody can read a figure.
    is_unseen: bool,
}

fn all(events: &[Event]) -> BTreeMap<&'static str, u64> {
    let mut seen: BTreeMap<&'static str, u64> = TOLD.iter().map(|name| (*name, 0)).collect();
    let mut story = Story { homes: homes(events), ..Story::default() };
    for event in events {
        for name in story.shows(event) {
            *seen.entry(name).or_default() += 1;
        }
    }
    seen
}

const HOUR_MS: f64 = 3_600_000.0;
/// A receiver that hears of something so many seconds later is behind.
const BEHIND_S: f64 = 60.0;
/// A wake that nobody asked for.
const FORECAST: &str = "REASON_FORECAST";

/// Those that can be told.
const TOLD: [&str; 36] = [
    "slot_queue_nonempty",
    "cpu_gate_closed",
    "stale_gate_closed",
    "deadline_expired_while_booting",
    "late_up_after_timeout",
    "call_failed",
    "call_retried",
    "outcome_unknown",
    "looked_instead_of_called",
    "preflight_refused",
    "already_awake_found",
    "wake_in_flight_at_fault",
    "agent_restarted_in_flight",
    "session_rebuilt",
    "host_cut_with_queue",
    "controller_restarted_in_flight",
    "limit_lowered_in_flight",
    "lever_pulled_in_flight",
    "request_joined",
    "permits_lowered",
    "host_lost_in_flight",
    "config_refused",
    "duplicate_dropped",
    "retry_after_honoured",
    "manual_overtook_forecast",
    "lever_released_with_queue",
    "sink_behind",
    "blind_at_work",
    "store_failed",
    "commit_unknown",
    "clock_went_back",
    "token_refreshed",
    "window_in_switch_hour",
    "session_taken_over",
    "pressure_gate_closed",
    "lines_dropped",
];

impl<'a> Story<'a> {
    fn shows(&mut self, event: &'a Event) -> Vec<&'static str> {
        let wake = event.k.wake.as_deref().unwrap_or_default();
        let host = event.k.host.as_deref().unwrap_or_default();
        let instance = event.k.instance.as_deref().unwrap_or_default();
        let mut shown = Vec::new();
        let mut show = |name: &'static str, is_shown: bool| {
            if is_shown {
                shown.push(name);
            }
        };
        match event.f {
            Function::Gate => return self.shows_of_gate(event),
            Function::CommandSend => {
                self.running.insert(wake, host);
                self.waiting.remove(wake);
                self.forecast.remove(wake);
                let is_persons = event.text("reason").is_some_and(|reason| reason != FORECAST);
                let is_overtaking = is_persons
                    && self.forecast.values().any(|(of, due_s)| *of == host && *due_s < event.t_s());
                show("manual_overtook_forecast", is_overtaking && event.k.attempt == Some(1));
                show("call_retried", event.k.attempt.is_some_and(|attempt| attempt > 1));
                show("looked_instead_of_called", event.flag("look_only") == Some(true));
                show("blind_at_work", self.is_unseen);
            }
            Function::SlotRelease => {
                self.running.remove(wake);
                let outcome = event.text("outcome");
                show("preflight_refused", outcome == Some("OUTCOME_REFUSED"));
                show("already_awake_found", outcome == Some("OUTCOME_ALREADY_AWAKE"));
            }
            Function::CommandAck => {
                let is_new = self.acked.insert((wake, event.k.attempt, event.epoch));
                show("duplicate_dropped", !is_new);
            }
            Function::CallEndpoint => {
                self.unknown.remove(instance);
                let until_s = self.told_to_wait.remove(&(instance, event.node.as_str()));
                show("retry_after_honoured", until_s.is_some_and(|until_s| event.t_s() >= until_s));
            }
            Function::Notified => {
                show("sink_behind", event.number("behind_s").is_some_and(|by| by > BEHIND_S));
            }
            Function::EndpointEffect => show("token_refreshed", event.flag("new_token") == Some(true)),
            Function::Terminal => {
                self.running.remove(wake);
                self.waiting.remove(wake);
                self.forecast.remove(wake);
                let end = event.text("end");
                show("deadline_expired_while_booting", end == Some("timed_out"));
                show("host_lost_in_flight", end == Some("host_lost"));
                if end == Some("timed_out") {
                    self.timed_out.insert(instance);
                }
            }
            Function::Poll => {
                show("looked_instead_of_called", self.unknown.remove(instance));
                let is_up = event.flag("serving") == Some(true);
                show("late_up_after_timeout", is_up && self.timed_out.remove(instance));
            }
            Function::FaultOn | Function::FaultOff | Function::FaultHit => return self.shows_of_fault(event),
            Function::Restart => return self.shows_of_restart(event),
            Function::LeaseLost | Function::LeaseAcquire => return self.shows_of_session(event),
            Function::Due | Function::ManualWake => return self.shows_of_wishes(event),
            Function::Ingest => {
                show("lines_dropped", event.number("left_out").is_some_and(|lines| lines > 0.0));
            }
            Function::ConfigSet | Function::Lever => return self.shows_of_settings(event),
            _ => {}
        }
        shown
    }

    fn shows_of_session(&mut self, event: &'a Event) -> Vec<&'static str> {
        let host = event.k.host.as_deref().unwrap_or_default();
        if event.f == Function::LeaseLost {
            self.lost.insert(host);
            return Vec::new();
        }
        let other = event.number("journal").and_then(|journal| self.journals.insert(host, journal));
        let is_others = other.is_some_and(|other| event.number("journal") != Some(other));
        shown([("session_rebuilt", self.lost.remove(host)), ("session_taken_over", is_others)])
    }

    fn shows_of_wishes(&mut self, event: &'a Event) -> Vec<&'static str> {
        let wake = event.k.wake.as_deref().unwrap_or_default();
        if event.f == Function::ManualWake {
            if event.kind != Kind::Ok || wake.is_empty() {
                return Vec::new();
            }
            let is_new = self.asked.insert(wake);
            if !self.running.contains_key(wake) {
                self.waiting.insert(wake);
            }
            return shown([("request_joined", !is_new)]);
        }
        let due_ms = event.number("due_at_ms");
        let away_ms = due_ms.zip(self.changes_at_ms).map(|(due, at)| due - at);
        self.asked.insert(wake);
        self.waiting.insert(wake);
        if event.text("reason") == Some(FORECAST) {
            let instance = event.k.instance.as_deref().unwrap_or_default();
            let host = self.homes.get(instance).copied().or(event.k.host.as_deref()).unwrap_or_default();
            let due_ms = due_ms.unwrap_or(f64::INFINITY);
            self.forecast.insert(wake, (host, (due_ms - self.began_ms) / 1_000.0));
        }
        shown([("window_in_switch_hour", away_ms.is_some_and(|away_ms| away_ms.abs() <= HOUR_MS))])
    }

    fn shows_of_gate(&self, event: &Event) -> Vec<&'static str> {
        let gate = event.text("gate").unwrap_or_default();
        let is_stale = ["newest load", "no load", "to the bit"].iter().any(|why| gate.contains(why));
        let is_cut = gate.contains("not connected") && !self.waiting.is_empty();
        shown([
            ("slot_queue_nonempty", gate.contains("in progress")),
            ("cpu_gate_closed", gate.contains("CPU")),
            ("pressure_gate_closed", gate.contains("pressure is")),
            ("stale_gate_closed", is_stale),
            ("host_cut_with_queue", is_cut),
        ])
    }

    fn shows_of_fault(&mut self, event: &'a Event) -> Vec<&'static str> {
        let kind = event.text("kind").unwrap_or_default();
        match event.f {
            Function::FaultOn => {
                self.is_unseen |= event.flag("unseen") == Some(true);
                self.changes_at_ms = self.changes_at_ms.or(event.number("changes_at_ms"));
                shown([("wake_in_flight_at_fault", !self.running.is_empty())])
            }
            Function::FaultOff => {
                self.is_unseen &= event.flag("unseen") != Some(true);
                let was_met = event.number("hits").is_some_and(|hits| hits > 0.0);
                shown([
                    ("store_failed", was_met && matches!(kind, "store.refuse" | "store.hang")),
                    ("commit_unknown", was_met && kind == "store.commit_unknown"),
                    // Either when it was moved, or now.
                    ("clock_went_back", was_met && kind == "clock.jump"),
                ])
            }
            _ => {
                if let Some(wait_s) = event.number("retry_after_s") {
                    let instance = event.k.instance.as_deref().unwrap_or_default();
                    self.told_to_wait.insert((instance, event.node.as_str()), event.t_s() + wait_s);
                }
                let is_unknown = matches!(kind, "endpoint.lost_response" | "endpoint.half_open");
                if let Some(instance) = event.k.instance.as_deref().filter(|_| is_unknown) {
                    self.unknown.insert(instance);
                }
                shown([("call_failed", event.number("status").is_some()), ("outcome_unknown", is_unknown)])
            }
        }
    }

    fn shows_of_restart(&self, event: &Event) -> Vec<&'static str> {
        let node = event.text("node").unwrap_or_default();
        let of_host =
            |number: &str| self.running.values().any(|host| host.strip_prefix("host-") == Some(number));
        let (name, is_shown) = match node.strip_prefix("agent-") {
            Some(number) => ("agent_restarted_in_flight", of_host(number)),
            None => ("controller_restarted_in_flight", !self.running.is_empty()),
        };
        if is_shown { vec![name] } else { Vec::new() }
    }

    fn shows_of_settings(&mut self, event: &Event) -> Vec<&'static str> {
        let mut shown = Vec::new();
        let mut show = |name: &'static str, is_shown: bool| {
            if is_shown {
                shown.push(name);
            }
        };
        match event.f {
            Function::ConfigSet => {
                show("config_refused", event.kind == Kind::Fail);
                self.began_ms = event.number("began_ms").unwrap_or(self.began_ms);
                if let Some(limit) = event.number("host_wakes_max") {
                    let is_lower = self.limit.is_some_and(|before| limit < before);
                    show("permits_lowered", is_lower);
                    show("limit_lowered_in_flight", is_lower && !self.running.is_empty());
                    self.limit = Some(limit);
                }
            }
            Function::Lever => {
                let is_pulled = event.flag("stopped") == Some(true);
                show("lever_pulled_in_flight", is_pulled && !self.running.is_empty());
                let is_released = event.flag("stopped") == Some(false);
                show("lever_released_with_queue", is_released && !self.waiting.is_empty());
            }
            _ => {}
        }
        shown
    }
}

/// Those of them that are shown.
fn shown<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    all.into_iter().filter_map(|(name, is_shown)| is_shown.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{experiment::file::SIGHTS, history::Key, oracle::told::Told};

    fn shows(told: &Told) -> Vec<&'static str> {
        all(&told.0).into_iter().filter_map(|(name, times)| (times > 0).then_some(name)).collect()
    }

    fn key(instance: &str, wake: &str, host: Option<&str>) -> Key {
        let (instance, wake) = (Some(instance.to_owned()), Some(wake.to_owned()));
        Key { instance, wake, host: host.map(str::to_owned), attempt: Some(1), ..Key::default() }
    }

    #[test]
    fn a_person_goes_before_an_older_forecast_of_the_same_host() {
        let told = |forecast_on: &str| {
            let mut told = Told::default();
            let due = json!({"reason": FORECAST, "due_at_ms": 10_000.0});
            told.add(5.0, Function::Due, key("a", "1", None), due);
            let sent = json!({"reason": "REASON_DEMAND"});
            told.add(20.0, Function::CommandSend, key("b", "2", Some("h1")), sent);
            told.add(
                30.0,
                Function::CommandSend,
                key("a", "1", Some(forecast_on)),
                json!({"reason": FORECAST}),
            );
            told
        };
        assert_eq!(shows(&told("h1")), ["manual_overtook_forecast"]);
        assert_eq!(shows(&told("h2")), [""; 0]);
    }

    #[test]
    fn who_looks_after_a_lost_answer_is_told_from_who_calls_again() {
        let told = |next: Function| {
            let (mut told, instance) = (Told::default(), || key("a", "1", Some("h1")));
            told.add(1.0, Function::CallEndpoint, instance(), json!(null));
            told.add(1.1, Function::FaultHit, instance(), json!({"kind": "endpoint.lost_response"}));
            told.add(2.0, next, instance(), json!(null));
            told.add(3.0, Function::Poll, instance(), json!(null));
            told
        };
        assert_eq!(shows(&told(Function::Poll)), ["looked_instead_of_called", "outcome_unknown"]);
        assert_eq!(shows(&told(Function::CallEndpoint)), ["outcome_unknown"]);
    }

    #[test]
    fn another_journal_has_taken_the_session_over() {
        let told = |second: u64| {
            let mut told = Told::default();
            for (t_s, journal) in [(1.0, 1), (2.0, second)] {
                let host = Key { host: Some("h1".to_owned()), ..Key::default() };
                told.add(t_s, Function::LeaseAcquire, host, json!({"journal": journal}));
            }
            told
        };
        assert_eq!(shows(&told(2)), ["session_taken_over"]);
        assert_eq!(shows(&told(1)), [""; 0]);
    }

    #[test]
    fn what_can_be_told_is_in_the_list_of_all_sights() {
        for name in TOLD {
            assert!(SIGHTS.iter().any(|(known, _)| *known == name), "{name}");
        }
        let names = ["call_retried".to_owned(), "model_refused".to_owned()];
        assert_eq!(seen(&names, &[]).into_values().collect::<Vec<_>>(), [Some(0), None]);
    }
}
