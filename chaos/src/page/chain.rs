//! What broke: each violation in words, the faults that were on, and the events that show it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{drawing::clock, whole::Struck, words::sentence};
use crate::{
    history::Event,
    oracle::{Checked, Violation},
};

/// Violations of one invariant that are told in full.
pub(super) const TOLD_MAX: usize = 3;
/// Events shown around one that broke something.
const AROUND: usize = 12;
/// Events of the same wake that are shown after it.
const AFTER: usize = 8;
/// A fault that ended so many seconds before the first event of a violation may still be its cause.
const JUST_OVER_S: f64 = 60.0;

/// Every violated invariant with its first violations.
pub(super) fn what_broke(events: &[Event], invariants: &[Checked], faults: &[Struck]) -> Markup {
    let wakes = instances(events);
    html! {
        @for one in invariants.iter().filter(|one| !one.violations.is_empty()) {
            @let count = one.violations.len();
            h3 { (one.id) ": " (one.statement) }
            p.soft {
                "Broken " (times(count)) " in " (one.checked) " cases."
                @if count > TOLD_MAX { " The first " (TOLD_MAX) ":" }
            }
            @for violation in one.violations.iter().take(TOLD_MAX) {
                @let at_s = at_s(events, violation);
                p.told { strong { (named(&violation.text, &wakes)) } ", " (clock(at_s)) " after the start. "
                    (faults_on(faults, began_s(events, violation), at_s)) }
                div.wide { (chain(events, violation)) }
            }
        }
    }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(count: usize) -> String {
    match count {
        1 => "once".into(),
        2 => "twice".into(),
        count => format!("{count} times"),
    }
}

/// When it was broken, in seconds since the run began.
pub(super) fn at_s(events: &[Event], violation: &Violation) -> f64 {
    events.iter().find(|event| event.i == violation.i).map_or(0.0, Event::t_s)
}

/// When the first of the events that show it happened.
fn began_s(events: &[Event], violation: &Violation) -> f64 {
    let first = violation.chain.iter().min().copied().unwrap_or(violation.i).min(violation.i);
    events.iter().find(|event| event.i == first).map_or(0.0, Event::t_s)
}

/// Those that were on at any time from its first event to its last, or over just before; those that met somebody first.
fn faults_on(faults: &[Struck], from_s: f64, to_s: f64) -> Markup {
    let was_on = |fault: &&Struck| fault.from_s <= to_s && fault.to_s >= from_s - JUST_OVER_S;
    let (met, idle): (Vec<&Struck>, Vec<&Struck>) =
        faults.iter().filter(was_on).partition(|fault| fault.hits > 0);
    let told =
        |fault: &&Struck| format!("{}, {} to {}", fault.name(), clock(fault.from_s), clock(fault.to_s));
    let names = |of: &[&Struck]| of.iter().map(told).collect::<Vec<_>>().join("; ");
    html! {
        @if met.is_empty() && idle.is_empty() { "No fault was on." }
        @if !met.is_empty() { "Faults that were on meanwhile: " (names(&met)) "." }
        @if !idle.is_empty() { " On, and met by nobody: " (names(&idle)) "." }
    }
}

/// With instances in place of the ids of their wakes.
pub(super) fn named(text: &str, wakes: &BTreeMap<&str, &str>) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', '.', ':', ';']);
        wakes
            .get(bare)
            .map_or_else(|| word.to_owned(), |instance| word.replacen(bare, &format!("of {instance}"), 1))
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The events that show it, and those just before, in order.
fn chain(events: &[Event], violation: &Violation) -> Markup {
    let is_of_it = |event: &Event| violation.chain.contains(&event.i);
    let here = events.iter().position(|event| event.i == violation.i).unwrap_or(0);
    let wake = events.get(here).and_then(|event| event.k.wake.as_deref());
    // The story of the wake it is about; the neighbourhood where it is about none.
    let of_wake = |event: &&Event| wake.is_some() && event.k.wake.as_deref() == wake;
    let mut shown: Vec<&Event> =
        events.iter().filter(of_wake).filter(|event| event.i <= violation.i).collect();
    if shown.is_empty() {
        shown.extend(&events[here.saturating_sub(AROUND)..=here.min(events.len().saturating_sub(1))]);
    }
    shown.extend(events.iter().filter(|event| is_of_it(event)));
    shown.sort_by_key(|event| event.i);
    shown.dedup_by_key(|event| event.i);
    // What became of it.
    let after = events.iter().filter(of_wake).filter(|event| event.i > violation.i);
    let after: Vec<&Event> = after.collect();
    let skip = shown.len().saturating_sub(2 * AROUND);
    shown = shown
        .into_iter()
        .enumerate()
        .filter(|(at, event)| *at >= skip || is_of_it(event))
        .map(|(_, event)| event)
        .collect();
    let instances = instances(events);
    html! {
        table {
            tr { th.number { "event" } th { "at" } th { "what happened" } th { "wake of" } }
            @for event in shown {
                tr class=[is_of_it(event).then_some("here")] title=(record(event)) {
                    td.number { (event.i) }
                    td { (clock(event.t_s())) }
                    td { (sentence(event)) }
                    td { (of(event, &instances)) }
                }
            }
            @if !after.is_empty() { tr { td {} td {} td.soft { "and afterwards" } td {} } }
            @for event in after.iter().take(AFTER) {
                tr title=(record(event)) {
                    td.number { (event.i) }
                    td { (clock(event.t_s())) }
                    td { (sentence(event)) }
                    td { (of(event, &instances)) }
                }
            }
            @if after.len() > AFTER { tr { td {} td {} td.soft { "and " (after.len() - AFTER) " more" } td {} } }
        }
    }
}

/// Which instance each wake is of: not every event of a wake names it.
pub(super) fn instances(events: &[Event]) -> BTreeMap<&str, &str> {
    events.iter().filter_map(|event| Some((event.k.wake.as_deref()?, event.k.instance.as_deref()?))).collect()
}

fn of(event: &Event, instances: &BTreeMap<&str, &str>) -> String {
    let Some(wake) = event.k.wake.as_deref() else { return String::new() };
    let instance = instances.get(wake).copied().unwrap_or(wake);
    let attempt = event.k.attempt.map_or(String::new(), |attempt| format!(", attempt {attempt}"));
    format!("{instance}{attempt}")
}

/// The line of the history, for whoever points at it.
fn record(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}
