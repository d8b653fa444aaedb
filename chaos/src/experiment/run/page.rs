//! The run of an experiment as a page for a browser: what was claimed beside what was measured, and all that any run has.

use maud::{Markup, html};

use super::{
    Conducted, Graded,
    journal::SteadyState,
    tolerance::{bounds, rounded},
};
use crate::{
    experiment::file::{Expected, Fault},
    page::{self, Struck, Timeline},
};

impl Conducted {
    /// Complete with its style; it loads nothing.
    pub fn page(&self) -> String {
        let ours = &self.journal.reveille;
        let experiment = &self.journal.experiment;
        let title = format!("{}: {}", ours.id, experiment.title);
        let began_s = Timeline::of(&self.history.events).began_s;
        let struck = ours.faults.iter().map(|proof| Struck {
            kind: proof.kind,
            what: whom(&experiment.reveille().faults, proof.kind),
            from_s: proof.from_s as f64 - began_s,
            to_s: proof.until_s as f64 - began_s,
            hits: proof.hits,
            opportunities: proof.opportunities,
            is_on: proof.on,
        });
        let faults: Vec<Struck> = struck.collect();
        let file = serde_json::to_string_pretty(experiment).unwrap_or_default();
        // Those come first, and are told with their place.
        let broken = ours.invariants.iter().filter(|one| !one.violations.is_empty()).count();
        let told = page::Told {
            title: &title,
            verdict: ours.verdict,
            invariants: &ours.invariants,
            required: &super::conduct::REQUIRED,
            not_judged: &ours.not_judged,
            faults: &faults,
            not_recovered: &[],
            why: ours.why.get(broken..).unwrap_or_default(),
            stopped: ours.guard.as_ref().map(|guard| (guard.at_s, guard.id.as_str())),
            claim: Some(&self.claim()),
            replay: &ours.replay,
            written_by: "--journals DIR",
            shrink: None,
            plan: ("The experiment, as a file", &file),
        };
        page::render(&self.history, &told)
    }

    fn claim(&self) -> Markup {
        let ours = &self.journal.reveille;
        let experiment = &self.journal.experiment;
        let steady = &self.journal.steady_states;
        let sights = ours.coverage.iter().filter(|(_, times)| times.is_none_or(|times| times == 0));
        let unseen: Vec<&str> = sights.map(|(name, _)| name.as_str()).collect();
        html! {
            h2 { "What was claimed" }
            p.soft { "By reveille-chaos " (env!("CARGO_PKG_VERSION")) ", plan " (&ours.plan_sha256[..12]) ". "
                "The defaults of a template may "
                "be others in another build: the file at the end of this page is what was run, and can be run as such." }
            @if let Some(description) = Some(&experiment.description).filter(|text| !text.is_empty()) {
                p { (description) }
            }
            @if !ours.predictions.is_empty() {
                div.wide { table {
                    tr { th { "predicted" } th { "during" } th.number { "" } th.number { "measured" }
                        th.number { "without faults" } th { "" } }
                    @for (one, said) in ours.predictions.iter().zip(&experiment.reveille().hypothesis.predicts) {
                        (predicted(one, said.value))
                    }
                } }
                p.soft { "Foretold with a confidence of " (ours.confidence) "."
                    @if let Some(brier) = ours.brier { " Brier score " (format!("{brier:.3}")) "." } }
            }
            div.wide { table {
                tr { th { "steady state" } th { "bounds" } th { "before" } th { "after" } }
                @for [name, bounds, before, after] in probes(steady.before.as_ref(), steady.after.as_ref()) {
                    tr { td { (name) } td { (bounds) } td { (before) } td { (after) } }
                }
            } }
            p.soft { "After the faults this is L5: the steady state is met again in time." }
            @if let Some(guard) = &ours.guard {
                p { strong { "The guard " (guard.id) " stopped it" } ": " (guard.expr) ", " (format!("{:.2}", guard.value))
                    " for as long as the file bears it. A simulation is played on to its end all the same, and judged as if it "
                    "had ended there." }
            }
            @if !unseen.is_empty() { p { "Never seen: " (unseen.join(", ").replace('_', " ")) "." } }
        }
    }
}

/// Whom the fault of this kind is about and how strong it is, as the file says.
fn whom(faults: &[Fault], kind: &str) -> String {
    let Some(fault) = faults.iter().find(|fault| fault.kind == kind) else { return String::new() };
    let params = fault.params.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    std::iter::once(fault.target.clone()).chain(params).collect::<Vec<_>>().join(", ")
}

fn predicted(one: &Graded, said: Expected) -> Markup {
    let number =
        |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.2}"));
    html! {
        tr class=[match one.held { Some(true) => None, Some(false) => Some("bad"), None => Some("doubt") }] {
            td { (one.metric) " " (one.op) " " (number(one.expected))
                @if let Expected::Ratio(ratio) = said { " (" (ratio.ratio_of_control) " times without faults)" } }
            td { (one.during.name()) }
            td.number {}
            td.number { (number(one.measured)) }
            td.number { (number(one.control)) }
            td { @match one.held { Some(true) => "came true", Some(false) => "did not", None => "not known" } }
        }
    }
}

/// Each probe with its bounds, and what it said before and after.
fn probes(before: Option<&SteadyState>, after: Option<&SteadyState>) -> Vec<[String; 4]> {
    let said = |state: Option<&SteadyState>, name: &str| {
        let step = state.and_then(|state| state.probes.iter().find(|step| step.activity.name == name));
        step.map_or_else(
            || "not asked, as the run had ended".to_owned(),
            |step| {
                let text = step.output["body"].as_str().map_or_else(|| step.output.to_string(), rounded);
                if step.tolerance_met == Some(false) { format!("{text}, out of bounds") } else { text }
            },
        )
    };
    let of = before.or(after).map(|state| state.probes.as_slice()).unwrap_or_default();
    of.iter()
        .map(|step| {
            let name = &step.activity.name;
            let bounds = step.activity.tolerance.as_ref().map(bounds).unwrap_or_default();
            [name.clone(), bounds, said(before, name), said(after, name)]
        })
        .collect()
}
