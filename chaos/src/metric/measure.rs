//! From the name of a metric to its value over a span of a history.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    attempts::{attempted, calls, doubled, most_at_once},
    streams::up_ratio,
};
use crate::{
    history::{Event, Function, Kind},
    oracle::{
        Settings, s1_slots, s2_fail_closed, s3_preflight, s4_one_effect, s6_epochs, s14_waiting, s15_attempts,
    },
};

/// The value of the metric `name` over `[from_s, to_s)` of the run, in the unit its name ends with. `None` where the history
/// says nothing of it: what is not measured is not good, it is unknown.
pub fn measure(name: &str, events: &[Event], span: (f64, f64)) -> Option<f64> {
    let (from_s, to_s) = span;
    let is_within = |at_s: f64| (from_s..to_s).contains(&at_s);
    let mut settings = Settings::default();
    for event in events {
        settings.follow(event);
    }
    let wakes = || {
        let all = attempted(events, settings.began_ms as f64);
        all.into_values().filter(|wake| is_within(wake.begun_s)).collect::<Vec<_>>()
    };
    let started = || Some(wakes()).filter(|wakes| !wakes.is_empty());
    match name {
        "wake_success_ratio" => {
            let over: Vec<_> = wakes().into_iter().filter(|wake| wake.ended_s.is_some()).collect();
            ratio(over.iter().filter(|wake| wake.is_success).count(), over.len())
        }
        "wake_start_lag_p95_s" => {
            let lag = |wake: &super::attempts::Attempted<'_>| Some((wake.begun_s - wake.due_s?).max(0.0));
            p95(started()?.iter().filter_map(lag).collect())
        }
        "wake_terminal_p95_s" => {
            p95(started()?.iter().filter_map(|wake| Some(wake.ended_s? - wake.begun_s)).collect())
        }
        "wakes_started_per_min" => Some(wakes().len() as f64 / ((to_s - from_s) / 60.0).max(1e-9)),
        "inflight_orphans" => {
            let is_left =
                |wake: &super::attempts::Attempted<'_>| wake.deadline_s < to_s && wake.ended_s.is_none();
            Some(started()?.iter().filter(|wake| is_left(wake)).count() as f64)
        }
        "call_amplification" => ratio(calls(events, span).0, wakes().len()),
        "endpoint_error_ratio" => {
            let (made, failed) = calls(events, span);
            ratio(failed, made)
        }
        "host_concurrency_max" => Some(most_at_once(events, span) as f64),
        "host_cpu_max" => {
            let samples =
                events.iter().filter(|event| event.f == Function::LoadSample && is_within(event.t_s()));
            samples.filter_map(|event| Some(event.number("cpu_percent")? / 100.0)).reduce(f64::max)
        }
        "duplicate_effects" => Some(doubled(events, span) as f64),
        "audit_gap" => {
            let audits = events.iter().filter(|event| is_within(event.t_s()));
            audits.filter_map(|event| event.number("gaps")).reduce(|sum, gaps| sum + gaps)
        }
        "manual_wakes_per_day" => Some(asked_per_day(events, span)),
        "controller_recovery_s" => Some(recovery_s(events, span)),
        "slot_leak" => {
            let last =
                events.iter().filter(|event| event.f == Function::Gate && event.flag("last") == Some(true));
            let last = last.filter_map(|event| event.number("active_wakes")).reduce(|sum, one| sum + one);
            last.or_else(|| Some(held_after_the_end(events, to_s) as f64))
        }
        "agent_stream_up_ratio" => up_ratio(events, span),
        "api_p99_ms" => {
            percentile(looks(events, span).iter().filter_map(|look| look.number("ms")).collect(), 99)
        }
        "api_error_ratio" => {
            let looks = looks(events, span);
            ratio(looks.iter().filter(|look| look.kind != Kind::Ok).count(), looks.len())
        }
        "probe_age_s" => {
            let seen = seen_samples(events).filter(|event| event.t_s() <= to_s);
            seen.map(|event| to_s - event.t_s()).reduce(f64::min)
        }
        "invariant_violations" => Some(violations(events) as f64),
        "queue_wait_p95_s" => {
            let waits = s14_waiting::waits(events, to_s).into_iter();
            let ended = waits.filter(|wait| wait.over.is_some_and(|over| is_within(over.t_s())));
            let waited = p95(ended.filter(|wait| wait.is_persons).map(|wait| wait.open_s).collect());
            // Where somebody looked and nobody waited, nobody waited long.
            let was_seen = || looks(events, span).iter().any(|look| look.kind == Kind::Ok);
            waited.or_else(|| was_seen().then_some(0.0))
        }
        _ => measure_outcome(name, events, span),
    }
}

/// Of what became of forecasts, and of who was to be started.
fn measure_outcome(name: &str, events: &[Event], span: (f64, f64)) -> Option<f64> {
    let to_s = span.1;
    match name {
        "lost_due" => {
            let waits = s14_waiting::waits(events, to_s);
            let is_lost = |wait: &&s14_waiting::Wait<'_>| wait.over.is_none() && wait.open_s > LOST_AFTER_S;
            Some(waits.iter().filter(is_lost).count() as f64)
        }
        "model_age_h" => model_age_s(events, to_s).map(|age_s| age_s / 3_600.0),
        "schedule_coverage" => {
            let newest = models(events, to_s).last()?;
            Some(newest.number("known")? / newest.number("listed").filter(|listed| *listed > 0.0)?)
        }
        "hit_ratio" => visited(events, span).map(|(hits, all)| hits as f64 / all as f64),
        "false_wake_ratio" => visited(events, span).map(|(hits, all)| (all - hits) as f64 / all as f64),
        _ => None,
    }
}

/// Samples of load, but for those nobody could see.
fn seen_samples(events: &[Event]) -> impl Iterator<Item = &Event> {
    let mut is_unseen = false;
    events.iter().filter(move |event| {
        match event.f {
            Function::FaultOn | Function::FaultOff if event.flag("unseen") == Some(true) => {
                is_unseen = event.f == Function::FaultOn;
            }
            _ => {}
        }
        event.f == Function::LoadSample && !is_unseen
    })
}

/// Who could have been started for so long and was not has been forgotten.
const LOST_AFTER_S: f64 = 1_800.0;
/// A visit so soon after a wake makes it used.
const WINDOW_S: f64 = 3.0 * 3_600.0;

/// Wakes that users had to ask for, by the day.
fn asked_per_day(events: &[Event], (from_s, to_s): (f64, f64)) -> f64 {
    let is_within = |event: &&Event| (from_s..to_s).contains(&event.t_s());
    let asked = events.iter().filter(|event| event.f == Function::ManualWake).filter(is_within);
    asked.count() as f64 * 86_400.0 / (to_s - from_s).max(1e-9)
}

/// Violations so far of what holds at every instant; that every wake has an end shows only when all is over.
fn violations(events: &[Event]) -> usize {
    let checked = [
        s1_slots::check(events),
        s2_fail_closed::check(events),
        s3_preflight::check(events),
        s4_one_effect::check(events),
        s6_epochs::check(events),
        s14_waiting::check(events),
        s15_attempts::check(events),
    ];
    checked.iter().map(|one| one.violations.len()).sum()
}

/// Of the wakes that woke an instance in the span: those somebody visited within the window, and all whose window is over by
/// the end of the span. `None` where that is none: those that were used are known earlier than those that were not, so an
/// open window would count for the better.
fn visited(events: &[Event], (from_s, to_s): (f64, f64)) -> Option<(usize, usize)> {
    let woken = events.iter().filter(|event| {
        event.f == Function::Terminal
            && event.text("end") == Some("woken")
            && (from_s..=to_s - WINDOW_S).contains(&event.t_s())
    });
    let mut visits: BTreeMap<Option<&str>, Vec<f64>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.f == Function::SessionSeen) {
        visits.entry(event.k.instance.as_deref()).or_default().push(event.t_s());
    }
    let (mut hits, mut all) = (0, 0);
    for event in woken {
        let of_it = visits.get(&event.k.instance.as_deref()).map(Vec::as_slice).unwrap_or_default();
        // In the order of their times.
        let next = of_it.get(of_it.partition_point(|at_s| *at_s < event.t_s()));
        hits += usize::from(next.is_some_and(|at_s| *at_s < event.t_s() + WINDOW_S));
        all += 1;
    }
    (all > 0).then_some((hits, all))
}

/// What was seen of the model in service by `to_s`.
fn models(events: &[Event], to_s: f64) -> impl Iterator<Item = &Event> {
    events.iter().filter(move |event| event.f == Function::ModelPublish && event.t_s() <= to_s)
}

/// Since the version that serves at `to_s` was first seen.
fn model_age_s(events: &[Event], to_s: f64) -> Option<f64> {
    let version = models(events, to_s).last()?.number("version")?;
    let first = models(events, to_s).find(|event| event.number("version") == Some(version))?;
    Some(to_s - first.t_s())
}

/// Permits of wakes whose end was seen so long ago are leaked.
const END_SEEN_S: f64 = 60.0;

/// Permits at `to_s` of wakes that have ended.
fn held_after_the_end(events: &[Event], to_s: f64) -> usize {
    let (mut held, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in events.iter().take_while(|event| event.t_s() <= to_s) {
        let wake = event.k.wake.as_deref();
        match event.f {
            Function::SlotGrant => held.extend(wake),
            Function::SlotRelease => drop(wake.map(|wake| held.remove(wake))),
            Function::Terminal if event.t_s() <= to_s - END_SEEN_S => ended.extend(wake),
            _ => {}
        }
    }
    held.intersection(&ended).count()
}

/// The longest time, over the restarts of a controller in the span, until every wake that was in flight was looked after;
/// 0 where none was restarted.
fn recovery_s(events: &[Event], (from_s, to_s): (f64, f64)) -> f64 {
    let mut longest: f64 = 0.0;
    let mut running = BTreeSet::new();
    // In flight when it was restarted, and since when.
    let mut waiting: BTreeMap<&str, f64> = BTreeMap::new();
    for event in events.iter().take_while(|event| event.t_s() < to_s) {
        let is_controllers = || event.text("node").is_some_and(|node| !node.starts_with("agent-"));
        if event.f == Function::Restart && event.t_s() >= from_s && is_controllers() {
            waiting.extend(running.iter().map(|wake| (*wake, event.t_s())));
        }
        let Some(wake) = event.k.wake.as_deref() else { continue };
        match event.f {
            Function::CommandSend => drop(running.insert(wake)),
            Function::SlotRelease | Function::Terminal => drop(running.remove(wake)),
            Function::Poll => {}
            _ => continue,
        }
        if let Some(since_s) = waiting.remove(wake) {
            longest = longest.max(event.t_s() - since_s);
        }
    }
    waiting.into_values().fold(longest, |longest, since_s| longest.max(to_s - since_s))
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn p95(values: Vec<f64>) -> Option<f64> {
    percentile(values, 95)
}

/// The smallest value that so many percent are not above.
fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (percent * values.len()).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}

/// Looks through the API. One that was not answered counts with the time somebody would have waited for it.
fn looks(events: &[Event], (from_s, to_s): (f64, f64)) -> Vec<&Event> {
    let looks = events.iter().filter(|event| event.f == Function::ApiCall);
    looks.filter(|event| (from_s..to_s).contains(&event.t_s())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::Key;

    #[derive(Default)]
    struct Told(Vec<Event>);

    impl Told {
        fn add(&mut self, t_s: i64, f: Function, wake: &str, v: Value) -> &mut Event {
            self.0.push(Event {
                i: self.0.len() as u64,
                t: t_s * 1_000_000_000,
                wall: String::new(),
                node: "n".into(),
                p: "n".into(),
                epoch: 1,
                kind: Kind::Ok,
                f,
                k: Key {
                    host: Some("host-1".into()),
                    wake: (!wake.is_empty()).then(|| wake.to_owned()),
                    instance: Some(format!("of-{wake}")),
                    window: Some("sleep-1".into()),
                    ..Key::default()
                },
                v,
                cause: None,
            });
            self.0.last_mut().expect("it was just added")
        }

        fn of(&self, name: &str) -> Option<f64> {
            measure(name, &self.0, (0.0, 600.0))
        }
    }

    fn story() -> Told {
        let mut told = Told::default();
        told.add(0, Function::ConfigSet, "", json!({"began_ms": 1_000_000}));
        told.add(0, Function::LeaseAcquire, "", json!(null));
        for (begun_s, wake) in [(60, "a"), (70, "b")] {
            told.add(begun_s, Function::SlotGrant, wake, json!({}));
            told.add(begun_s, Function::CommandSend, wake, json!({"deadline_ms": 1_300_000}));
            told.add(begun_s + 1, Function::CallEndpoint, wake, json!({}));
            told.add(begun_s + 1, Function::EndpointEffect, wake, json!({}));
        }
        told.add(90, Function::LoadSample, "", json!({"cpu_percent": 64.0}));
        told.add(100, Function::SlotRelease, "a", json!({"outcome": "OUTCOME_WOKEN"}));
        told.add(101, Function::Terminal, "a", json!({"end": "woken", "due_at_ms": 1_030_000}));
        told.add(300, Function::LeaseLost, "", json!(null));
        told
    }

    #[test]
    fn each_metric_is_what_its_name_says() {
        let mut told = story();
        let expected = [
            ("wake_success_ratio", 1.0),
            ("wake_start_lag_p95_s", 30.0),
            ("wake_terminal_p95_s", 41.0),
            ("wakes_started_per_min", 0.2),
            ("inflight_orphans", 1.0),
            ("call_amplification", 1.0),
            ("endpoint_error_ratio", 0.0),
            ("host_concurrency_max", 2.0),
            ("host_cpu_max", 0.64),
            ("duplicate_effects", 0.0),
            ("manual_wakes_per_day", 0.0),
            ("agent_stream_up_ratio", 0.5),
        ];
        for (name, value) in expected {
            let measured = told.of(name).unwrap_or(f64::NAN);
            assert!((measured - value).abs() < 1e-9, "{name} is {measured}, not {value}");
        }
        told.add(310, Function::EndpointEffect, "a", json!({}));
        told.add(320, Function::Terminal, "b", json!({"end": "timed_out"}));
        told.add(330, Function::FaultHit, "a", json!({})).cause = Some(3);
        assert_eq!((told.of("duplicate_effects"), told.of("wake_success_ratio")), (Some(1.0), Some(0.5)));
        told.0.last_mut().expect("there are some").kind = Kind::Fail;
        assert_eq!(told.of("endpoint_error_ratio"), Some(0.5));
    }

    #[test]
    fn a_wake_is_used_or_not_when_its_window_is_over() {
        let mut told = Told::default();
        let woken = json!({"end": "woken"});
        told.add(10, Function::Terminal, "a", woken.clone());
        told.add(20, Function::Terminal, "b", woken.clone());
        told.add(10_000, Function::SessionSeen, "a", json!({}));
        told.add(10_821, Function::SessionSeen, "b", json!({}));
        told.add(10_900, Function::Terminal, "c", woken);
        let ratio = |to_s| measure("hit_ratio", &told.0, (0.0, to_s));
        assert_eq!((ratio(10_800.0), ratio(10_815.0), ratio(12_000.0)), (None, Some(1.0), Some(0.5)));
        assert_eq!(measure("false_wake_ratio", &told.0, (15.0, 12_000.0)), Some(1.0));
    }

    #[test]
    fn who_was_not_there_did_not_wait_if_somebody_looked() {
        let mut told = Told::default();
        assert_eq!(told.of("queue_wait_p95_s"), None);
        told.add(20, Function::ApiCall, "", json!({"ms": 5_000})).kind = Kind::Fail;
        assert_eq!(told.of("queue_wait_p95_s"), None);
        told.add(40, Function::ApiCall, "", json!({"ms": 3}));
        assert_eq!(told.of("queue_wait_p95_s"), Some(0.0));
    }

    #[test]
    fn a_model_is_as_old_as_its_version() {
        let mut told = Told::default();
        assert_eq!((told.of("model_age_h"), told.of("schedule_coverage")), (None, None));
        told.add(60, Function::ModelPublish, "", json!({"version": 1, "known": 30, "listed": 40}));
        told.add(90, Function::ModelPublish, "", json!({"version": 1, "known": 36, "listed": 40}));
        assert_eq!((told.of("model_age_h"), told.of("schedule_coverage")), (Some(0.15), Some(0.9)));
        told.add(420, Function::ModelPublish, "", json!({"version": 2, "known": 40, "listed": 40}));
        assert_eq!((told.of("model_age_h"), told.of("schedule_coverage")), (Some(0.05), Some(1.0)));
    }

    #[test]
    fn looks_through_the_api_are_timed_and_those_without_an_answer_counted() {
        let mut told = Told::default();
        for n in 0..200 {
            told.add(n, Function::ApiCall, "", json!({"ms": n}));
        }
        assert_eq!((told.of("api_p99_ms"), told.of("api_error_ratio")), (Some(197.0), Some(0.0)));
        told.add(300, Function::ApiCall, "", json!({"ms": 5_000})).kind = Kind::Fail;
        assert!(told.of("api_error_ratio").is_some_and(|ratio| (ratio - 1.0 / 201.0).abs() < 1e-12));
        (301..304).for_each(|n| told.add(n, Function::ApiCall, "", json!({"ms": 5_000})).kind = Kind::Fail);
        assert_eq!(told.of("api_p99_ms"), Some(5_000.0), "what was not answered was not quick");
    }

    #[test]
    fn what_was_not_seen_is_unknown() {
        let told = Told::default();
        for name in
            ["wake_success_ratio", "wake_start_lag_p95_s", "host_cpu_max", "agent_stream_up_ratio", "nothing"]
        {
            assert_eq!(told.of(name), None, "{name}");
        }
    }
}
