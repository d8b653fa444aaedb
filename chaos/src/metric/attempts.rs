//! Wakes as the link saw them: begun, ended, how many at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, Function, Kind};

/// One wake over all its attempts. Times are seconds since the run began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attempted<'a> {
    pub(super) host: &'a str,
    /// Its first command.
    pub(super) begun_s: f64,
    /// By when the newest command wants it done.
    pub(super) deadline_s: f64,
    /// When it was to begin, where the end tells it.
    pub(super) due_s: Option<f64>,
    pub(super) ended_s: Option<f64>,
    pub(super) is_success: bool,
}

/// Every wake that was sent, by id. `began_ms` is when the run began, in milliseconds since 1970.
pub(super) fn attempted(events: &[Event], began_ms: f64) -> BTreeMap<&str, Attempted<'_>> {
    let mut wakes: BTreeMap<&str, Attempted<'_>> = BTreeMap::new();
    let since = |ms: f64| (ms - began_ms) / 1000.0;
    for event in events {
        let Some(wake) = event.k.wake.as_deref() else { continue };
        match event.f {
            Function::CommandSend => {
                let deadline_s = event.number("deadline_ms").map_or(f64::INFINITY, since);
                let begun = wakes.entry(wake).or_insert_with(|| Attempted {
                    host: event.k.host.as_deref().unwrap_or_default(),
                    begun_s: event.t_s(),
                    deadline_s,
                    due_s: None,
                    ended_s: None,
                    is_success: false,
                });
                begun.deadline_s = deadline_s;
            }
            Function::Terminal => {
                if let Some(begun) = wakes.get_mut(wake).filter(|begun| begun.ended_s.is_none()) {
                    begun.ended_s = Some(event.t_s());
                    begun.due_s = event.number("due_at_ms").map(since);
                    begun.is_success = matches!(event.text("end"), Some("woken" | "already_awake"));
                }
            }
            _ => {}
        }
    }
    wakes
}

/// Most attempts under way at once on one host, within `[from_s, to_s)`.
pub(super) fn most_at_once(events: &[Event], (from_s, to_s): (f64, f64)) -> usize {
    let mut running: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut most = 0;
    for event in events.iter().take_while(|event| event.t_s() < to_s) {
        let (Some(host), Some(wake)) = (event.k.host.as_deref(), event.k.wake.as_deref()) else { continue };
        let of_host = running.entry(host).or_default();
        match event.f {
            Function::SlotGrant => drop(of_host.insert(wake)),
            Function::SlotRelease => drop(of_host.remove(wake)),
            _ => {}
        }
        if event.t_s() >= from_s {
            most = most.max(of_host.len());
        }
    }
    most
}

/// Effects beyond the first of an instance and window, within the span.
pub(super) fn doubled(events: &[Event], (from_s, to_s): (f64, f64)) -> usize {
    let mut seen = BTreeSet::new();
    let effects = events.iter().filter(|event| event.f == Function::EndpointEffect && event.t_s() < to_s);
    effects
        .filter(|event| !seen.insert((event.k.instance.as_deref(), event.k.window.as_deref())))
        .filter(|event| event.t_s() >= from_s)
        .count()
}

/// Calls of the endpoints within the span, and those that came to nothing.
pub(super) fn calls(events: &[Event], (from_s, to_s): (f64, f64)) -> (usize, usize) {
    let within = |event: &&Event| (from_s..to_s).contains(&event.t_s());
    let of = |function: Function| events.iter().filter(within).filter(move |event| event.f == function);
    let failed = of(Function::FaultHit).filter(|event| event.kind == Kind::Fail && event.cause.is_some());
    (of(Function::CallEndpoint).count(), failed.count())
}
