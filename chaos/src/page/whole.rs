//! The whole page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Timeline,
    drawing::{clock, draw},
};
use crate::{
    experiment::Verdict,
    fault::FaultProof,
    history::{Event, History},
    oracle::{Checked, Violation},
};

/// Events shown around one that broke something.
const AROUND: usize = 12;
/// Violations of one invariant that are told in full.
const TOLD_MAX: usize = 3;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --soft: #66707f; --line: #d8dde5; --ground: #f6f8fa; --page: #fff;
  --good: #2e9d5b; --bad: #c93838; --awake: #4a86d9; --open: #b58a1b; --fault: #e3a23b; --cpu: #3b6fc4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a2b0; --line: #333c48; --ground: #1a2029;
  --page: #12161d; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.soft { color: var(--soft); } .badge { color: #fff; border-radius: .4rem; padding: .1rem .6rem; }
.badge.held { background: var(--good); } .badge.other { background: var(--bad); } .badge.unsure { background: var(--open); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem;
  border-bottom: 1px solid var(--line); vertical-align: top; } td.number, th.number { text-align: right; }
tr.bad td { color: var(--bad); font-weight: 600; } tr.here td { background: color-mix(in srgb, var(--bad) 18%, transparent); }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { background: var(--ground); padding: .7rem; overflow-x: auto; }
.wide { overflow-x: auto; } svg { width: 100%; min-width: 44rem; height: auto; }
svg text { font: 10px system-ui, sans-serif; fill: var(--soft); } svg text.name { text-anchor: end; fill: var(--ink); }
svg text.violation { fill: var(--bad); font-weight: 700; } .tick { stroke: var(--line); stroke-width: .5; }
.ground { fill: var(--ground); } .cpu { fill: none; stroke: var(--cpu); stroke-width: 1; }
.ceiling { stroke: var(--bad); stroke-width: .8; stroke-dasharray: 4 3; } .fault { fill: var(--fault); opacity: .75; }
.death { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 2; } line.violation { stroke: var(--bad); stroke-width: 1.2; }
.wake.good { fill: var(--good); } .wake.bad { fill: var(--bad); } .wake.awake { fill: var(--awake); }
.wake.open { fill: var(--open); }
";

/// What is known of a run besides its history.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Of one line.
    pub title: &'a str,
    pub verdict: Verdict,
    pub invariants: &'a [Checked],
    pub faults: &'a [FaultProof],
    pub not_recovered: &'a [String],
    /// The command that plays it again.
    pub replay: &'a str,
    /// The plan, as it can be given to that command.
    pub plan: &'a str,
}

/// The page, complete with its style.
pub fn render(history: &History, told: &Told<'_>) -> String {
    let events = &history.events;
    let timeline = Timeline::of(events);
    let broken: Vec<(&Checked, &Violation)> = told
        .invariants
        .iter()
        .flat_map(|one| one.violations.iter().take(TOLD_MAX).map(move |v| (one, v)))
        .collect();
    let at = |i: u64| events.iter().find(|event| event.i == i).map_or(0.0, Event::t_s);
    let marks: Vec<(f64, String)> = broken.iter().map(|(one, v)| (at(v.i), one.id.to_owned())).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (told.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(history, told))
                (what_broke(events, &broken, told))
                h2 { "What happened when" }
                p.soft { "Above, the faults; then for each host its CPU against the ceiling (dashed), and below it every attempt "
                    "to wake an instance: green woke it, blue found it awake, red did not, yellow has no result. Dotted lines "
                    "are deaths and restarts. Point at anything to read it." }
                div.wide { (draw(&timeline, &marks)) }
                (faults(told.faults))
                (invariants(told.invariants))
                h2 { "See it again" }
                p { "The same seed is the same history, byte for byte." }
                pre { (told.replay) }
                details { summary { "The plan" } pre { (told.plan) } }
            }
        }
    };
    page.into_string()
}

fn head(history: &History, told: &Told<'_>) -> Markup {
    let class = match told.verdict {
        Verdict::Held => "held",
        Verdict::Inconclusive | Verdict::Aborted => "unsure",
        Verdict::Deviated
        | Verdict::Violated
        | Verdict::NotRecovered
        | Verdict::Error
        | Verdict::InvalidFile => "other",
    };
    let header = &history.header;
    let (first, last) = (history.events.first(), history.events.last());
    let span = |event: Option<&Event>| event.map_or("", |event| event.wall.as_str()).to_owned();
    html! {
        h1 { (told.title) " " span class=(format!("badge {class}")) { (told.verdict.as_str()) } }
        p.soft { (header.experiment) ", seed " (header.seed) ", " (header.clock) " clock, "
            (span(first)) " to " (span(last)) ", " (history.events.len()) " events" }
    }
}

fn what_broke(events: &[Event], broken: &[(&Checked, &Violation)], told: &Told<'_>) -> Markup {
    html! {
        h2 { "What broke" }
        @if broken.is_empty() && told.not_recovered.is_empty() {
            p { "Nothing: every invariant that was judged held." }
        }
        @for what in told.not_recovered { p { "Not recovered: " (what) "." } }
        @for (one, violation) in broken {
            p { strong { (one.id) } " " (violation.text) " " span.soft { "(" (one.statement) ")" } }
            div.wide { (chain(events, violation)) }
        }
    }
}

/// The events that show it, and those just before, in order.
fn chain(events: &[Event], violation: &Violation) -> Markup {
    let is_of_it = |event: &Event| violation.chain.contains(&event.i);
    let here = events.iter().position(|event| event.i == violation.i).unwrap_or(0);
    let wake = events.get(here).and_then(|event| event.k.wake.as_deref());
    // The story of the wake it is about; the neighbourhood where it is about none.
    let of_wake =
        |event: &&Event| wake.is_some() && event.k.wake.as_deref() == wake && event.i <= violation.i;
    let mut shown: Vec<&Event> = events.iter().filter(of_wake).collect();
    if shown.is_empty() {
        shown.extend(&events[here.saturating_sub(AROUND)..=here.min(events.len().saturating_sub(1))]);
    }
    shown.extend(events.iter().filter(|event| is_of_it(event)));
    shown.sort_by_key(|event| event.i);
    shown.dedup_by_key(|event| event.i);
    let skip = shown.len().saturating_sub(2 * AROUND);
    shown = shown
        .into_iter()
        .enumerate()
        .filter(|(at, event)| *at >= skip || is_of_it(event))
        .map(|(_, e)| e)
        .collect();
    html! {
        table {
            tr { th.number { "event" } th { "at" } th { "who" } th { "what" } th { "of" } th { "details" } }
            @for event in shown {
                tr class=[is_of_it(event).then_some("here")] {
                    td.number { (event.i) }
                    td { (clock(event.t_s())) }
                    td { (event.node) }
                    td { (name(event)) }
                    td { (of(event)) }
                    td { @if !event.v.is_null() { code { (event.v.to_string()) } } }
                }
            }
        }
    }
}

fn name(event: &Event) -> String {
    let word = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let (function, kind) = (word(serde_json::to_value(event.f)), word(serde_json::to_value(event.kind)));
    if kind == "ok" { function.replace('_', " ") } else { format!("{} ({kind})", function.replace('_', " ")) }
}

fn of(event: &Event) -> String {
    let key = &event.k;
    let attempt = key.attempt.map(|attempt| format!("attempt {attempt}"));
    let parts = [key.instance.clone(), key.host.clone(), key.window.clone(), attempt];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn faults(faults: &[FaultProof]) -> Markup {
    html! {
        h2 { "Faults, and whether they bit" }
        @if faults.is_empty() { p { "None were planned." } } @else {
            div.wide { table {
                tr { th { "fault" } th.number { "hits" } th.number { "of" } th { "proven" } th { "over" } }
                @for proof in faults {
                    tr class=[(proof.on).then_some("bad")] {
                        td { (proof.kind) }
                        td.number { (proof.hits) }
                        td.number { (proof.opportunities) }
                        td { @if proof.hits > 0 { "yes" } @else { "no: it met nobody" } }
                        td { @if proof.on { "no" } @else { "yes" } }
                    }
                }
            } }
        }
    }
}

fn invariants(invariants: &[Checked]) -> Markup {
    html! {
        h2 { "Invariants" }
        div.wide { table {
            tr { th { "" } th { "statement" } th.number { "judged" } th.number { "violated" } }
            @for one in invariants {
                tr class=[(!one.violations.is_empty()).then_some("bad")] {
                    td { (one.id) }
                    td { (one.statement) }
                    td.number { (one.checked) }
                    td.number { (one.violations.len()) }
                }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::{Function, Header, Key, Kind};

    fn event(i: u64, f: Function, wake: Option<&str>) -> Event {
        Event {
            i,
            t: i as i64 * 1_000_000_000,
            wall: format!("2026-03-02T08:00:{i:02}Z"),
            node: "portal".into(),
            p: "portal".into(),
            epoch: 0,
            kind: Kind::Ok,
            f,
            k: Key { wake: wake.map(Into::into), instance: Some("dev1".into()), ..Key::default() },
            v: json!({"n": i}),
            cause: None,
        }
    }

    fn page(violations: Vec<Violation>) -> String {
        let events = vec![
            event(0, Function::SlotGrant, Some("w1")),
            event(1, Function::EndpointEffect, Some("w1")),
            event(2, Function::Poll, None),
            event(3, Function::EndpointEffect, Some("w1")),
            event(4, Function::Poll, Some("w1")),
        ];
        let history = History { header: Header::new("sim", 7, "virtual", "UTC"), events };
        let verdict = if violations.is_empty() { Verdict::Held } else { Verdict::Violated };
        let checked = Checked { checked: 2, violations, ..Checked::new("S4", "one effect") };
        let proof =
            FaultProof { kind: "link.reset", from_s: 0, until_s: 1, hits: 0, opportunities: 3, on: false };
        let told = Told {
            title: "seed 7",
            verdict,
            invariants: &[checked],
            faults: &[proof],
            not_recovered: &[],
            replay: "reveille-chaos replay --seed 7",
            plan: "{}",
        };
        render(&history, &told)
    }

    #[test]
    fn a_page_says_what_broke_why_and_how_to_see_it_again() {
        let violation = Violation { i: 3, text: "two effects".into(), chain: vec![1, 3] };
        let page = page(vec![violation]);
        for text in ["violated", "two effects", "endpoint effect", "it met nobody", "replay --seed 7"] {
            assert!(page.contains(text), "no {text} in {page}");
        }
        assert_eq!(page.matches("class=\"here\"").count(), 2, "both effects are marked");
        assert!(
            !page.contains("<td class=\"number\">4</td><td>0:00:04"),
            "what came later is not the reason"
        );
        assert!(!page.contains("http://") && !page.contains("https://"), "it loads nothing");
    }

    #[test]
    fn a_page_of_a_run_that_held_says_so() {
        let page = page(Vec::new());
        assert!(page.contains("every invariant that was judged held") && page.contains("badge held"));
    }
}
