//! A sweep and a replay as a person reads them.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;

use super::{
    Plan, Planned, SimOutcome, Sweep, corpus::Corpus, lineage::Lineage, outcome::REQUIRED, shrink::Shrunk,
};
use crate::{
    history::{Event, Function, History},
    page,
    world::{Missing, host_id, missing::MISSING},
};

/// Failing seeds that are shown; all are in the JSON.
const SHOWN_MAX: usize = 10;

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}

impl Sweep {
    pub fn render(&self) -> String {
        let mut invariants = table(["invariant", "judged", "violated"]);
        for (id, (judged, violated)) in &self.invariants {
            invariants.add_row([(*id).to_owned(), judged.to_string(), violated.to_string()]);
        }
        let mut faults = table(["fault", "runs", "bit in", "hits"]);
        for (kind, proven) in &self.faults {
            let cells = [proven.planned, proven.bit, proven.hits].map(|count| count.to_string());
            faults.add_row(std::iter::once((*kind).to_owned()).chain(cells));
        }
        let mut coverage = table(["reached", "runs"]);
        for (name, runs) in &self.coverage {
            coverage.add_row([(*name).to_owned(), runs.to_string()]);
        }
        let mut text = format!("{invariants}\n\n{faults}\n\n{coverage}\n\n");
        for failing in self.failing.iter().take(SHOWN_MAX) {
            let why = failing.why.join("; ");
            let (seed, verdict) = (failing.seed, failing.verdict.as_str());
            let _ = writeln!(text, "seed {seed} {verdict}: {why}\n  {}", failing.replay);
        }
        if let Some(more) = self.failing.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(text, "and {more} more, see --output json");
        }
        let _ = writeln!(
            text,
            "{} seeds{}: {} held, {} violated, {} not recovered, {} inconclusive, {} errors\n\
             {:.0} simulated hours in {:.0} s: {:.1} a second, {:.0} seeds a minute\n\
             determinism: {} seeds played twice, {} diverged\n\
             verdict: {}",
            self.seeds,
            self.of_range(),
            self.held,
            self.violated,
            self.not_recovered,
            self.inconclusive,
            self.error,
            self.simulated_hours,
            self.wall_s,
            self.simulated_hours_per_s(),
            self.seeds_per_minute(),
            self.determinism.checked,
            self.determinism.diverged,
            self.verdict.as_str(),
        );
        text
    }
}

impl Sweep {
    /// How many seeds there would have been, where not all were played.
    pub(super) fn of_range(&self) -> String {
        match self.left_out {
            0 => String::new(),
            left_out => format!(" of {} (as many as fitted into the time)", self.seeds + left_out),
        }
    }
}

impl Corpus {
    pub fn render(&self) -> String {
        let mut entries = table(["plan", "verdict", "s", "why"]);
        for entry in &self.entries {
            let cells = [entry.id.clone(), entry.verdict.as_str().to_owned(), format!("{:.1}", entry.wall_s)];
            entries.add_row(cells.into_iter().chain([entry.why.join("; ")]));
        }
        let mut text = format!("{entries}\n\n");
        for entry in self.failing() {
            let _ = writeln!(text, "{} {}: {}", entry.id, entry.verdict.as_str(), entry.replay);
        }
        let (held, all) = (self.entries.len() - self.failing().count(), self.entries.len());
        let _ = writeln!(text, "{held} of {all} plans held\nverdict: {}", self.verdict.as_str());
        text
    }
}

impl SimOutcome {
    pub fn render(&self) -> String {
        let plan = &self.plan;
        let mut text = format!(
            "seed {}: {} hosts, {} instances, at most {} wakes a host, {} h, {} who ask\n\n",
            self.seed,
            plan.hosts,
            plan.instances,
            plan.host_wakes_max,
            plan.played_s / 3600,
            plan.asks.len()
        );
        let mut faults = table(["fault", "from s", "for s", "what"]);
        for planned in &plan.faults {
            let (at, length) = (planned.at_s.to_string(), planned.for_s.to_string());
            faults.add_row([planned.kind().to_owned(), at, length, about(planned)]);
        }
        let mut invariants = table(["invariant", "judged", "violated", "first"]);
        for one in &self.invariants {
            let first = one
                .violations
                .first()
                .map_or(String::new(), |first| format!("event {}: {}", first.i, first.text));
            let counts = [one.checked, one.violations.len() as u64].map(|count| count.to_string());
            let [judged, violated] = counts;
            invariants.add_row([one.id.to_owned(), judged, violated, first]);
        }
        let _ = writeln!(text, "{faults}\n\n{invariants}\n");
        for proof in &self.faults {
            let _ =
                writeln!(text, "fault {}: hit {} of {} times", proof.kind, proof.hits, proof.opportunities);
        }
        for what in &self.not_recovered {
            let _ = writeln!(text, "not recovered: {what}");
        }
        let _ = writeln!(
            text,
            "\n{} events, history {}\nverdict: {}",
            self.events,
            &self.history_sha256[..16],
            self.verdict.as_str()
        );
        text
    }
}

impl SimOutcome {
    /// As a page for a browser; `replay` is the command that plays it again.
    pub fn page(&self, history: &History, replay: &str) -> String {
        let plan = serde_json::to_string_pretty(&self.plan).unwrap_or_default();
        let title = format!("Simulated morning of seed {}", self.seed);
        // Only what has faults or people can be made smaller, and `shrink` draws no calm mornings.
        let shrink = (replay.contains(" replay ") && !replay.contains("--calm"))
            .then(|| replay.replacen(" replay ", " shrink ", 1));
        let told = page::Told {
            title: &title,
            verdict: self.verdict,
            invariants: &self.invariants,
            required: &REQUIRED,
            not_judged: &[],
            faults: &self.struck(history),
            not_recovered: &self.not_recovered,
            why: &[],
            stopped: None,
            replay,
            written_by: "--html FILE",
            shrink: shrink.as_deref(),
            claim: None,
            plan: ("The plan, as replay --plan FILE reads it", &plan),
        };
        page::render(history, &told)
    }

    /// The faults as they were, in the order in which they began.
    fn struck(&self, history: &History) -> Vec<page::Struck> {
        let began_s = page::Timeline::of(&history.events).began_s;
        let mut planned: Vec<&Planned> = self.plan.faults.iter().collect();
        let mut struck: Vec<page::Struck> = Vec::new();
        for proof in &self.faults {
            let from_s = proof.from_s as f64 - began_s;
            // Of one kind there may be several, on different hosts, which begin in their order; some of them late.
            let place = planned.iter().position(|planned| planned.kind() == proof.kind);
            let what = place.map_or(String::new(), |place| about(planned.remove(place)));
            struck.push(page::Struck {
                kind: proof.kind,
                what,
                from_s,
                to_s: proof.until_s as f64 - began_s,
                hits: proof.hits,
                opportunities: proof.opportunities,
                is_on: proof.on,
            });
        }
        struck.extend(self.lost(history));
        struck.sort_by(|one, other| one.from_s.total_cmp(&other.from_s));
        struck
    }
}

impl SimOutcome {
    /// The message that is lost, where the plan has one.
    fn lost(&self, history: &History) -> Option<page::Struck> {
        let missing = self.plan.missing.as_ref()?;
        let lost = history.events.iter().find(|event| Missing::is_lost(event));
        let host = lost.and_then(|event| event.k.host.as_deref()).unwrap_or("no host");
        let with = if missing.ends_session { ", with its session" } else { "" };
        let what = format!("{host}, {} {}{with}", message(missing.event), missing.nth + 1);
        let from_s = lost.map_or(0.0, Event::t_s);
        let hits = u64::from(lost.is_some());
        Some(page::Struck { kind: MISSING, what, from_s, to_s: from_s, hits, opportunities: 1, is_on: false })
    }
}

/// Whom a fault is about and how strong it is, as its plan says.
fn about(planned: &Planned) -> String {
    let told = serde_json::to_value(&planned.what).unwrap_or_default();
    let hosts = planned.hosts.iter().map(|host| host_id(*host).to_string());
    let params = told.as_object().into_iter().flatten().map(|(name, value)| {
        match (value.as_str(), value.as_u64(), value.as_f64()) {
            (Some(text), ..) => format!("{name} {text}"),
            (None, None, Some(value)) => format!("{name} {value:.2}"),
            _ => format!("{name} {value}"),
        }
    });
    let mut parts: Vec<String> = hosts.chain(params).collect();
    if !planned.instances.is_empty() {
        parts.push(format!("{} instances", planned.instances.len()));
    }
    parts.join(", ")
}

impl Shrunk {
    pub fn render(&self) -> String {
        let size = |plan: &Plan| {
            let (faults, hosts, instances) = (plan.faults.len(), plan.hosts, plan.instances);
            format!("{faults} faults, {hosts} hosts, {instances} instances, {} s", plan.played_s)
        };
        let plan = serde_json::to_string_pretty(&self.to).unwrap_or_default();
        let end = if self.is_done { "nothing smaller fails in the same way" } else { "time was up" };
        format!(
            "{plan}\n\n{}: {}\nfrom {}\nto   {}\nafter {} runs: {end}\n",
            self.failure.verdict.as_str(),
            self.failure.invariants.join(", "),
            size(&self.from),
            size(&self.to),
            self.runs,
        )
    }
}

impl Lineage {
    pub fn render(&self) -> String {
        let mut messages = table(["message", "lost", "runs", "held", "ended otherwise"]);
        for event in Missing::EVENTS {
            for (how, tried) in [("alone", &self.lost_alone), ("with session", &self.lost_with_session)] {
                let Some(tried) = tried.get(&event) else { continue };
                let counts = [tried.tried, tried.held, tried.ended_otherwise].map(|count| count.to_string());
                messages.add_row([message(event).to_owned(), how.to_owned()].into_iter().chain(counts));
            }
        }
        let mut text = format!("{messages}\n\n");
        for (place, broken) in self.broken.iter().enumerate().take(SHOWN_MAX) {
            let Missing { event, wake, attempt, nth, ends_session } = &broken.missing;
            let how = if *ends_session { " and its session" } else { "" };
            let _ = writeln!(
                text,
                "without {} {} of wake {wake}, attempt {attempt}{how}, {}: {}\n  replay --plan {}",
                message(*event),
                nth + 1,
                broken.verdict.as_str(),
                broken.why.join("; "),
                Self::file_of(place),
            );
        }
        if let Some(more) = self.broken.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(text, "and {more} more, see --output json");
        }
        let left_out =
            if self.left_out > 0 { format!(", {} left out", self.left_out) } else { String::new() };
        let not_met =
            if self.not_met > 0 { format!(", {} did not meet it", self.not_met) } else { String::new() };
        let _ = writeln!(
            text,
            "seed {}: {} messages of {} wakes that ended well; {} runs without one{left_out}{not_met}, {:.0} s\n\
             verdict: {}",
            self.seed,
            self.messages,
            self.wakes,
            self.tried(),
            self.wall_s,
            self.verdict.as_str()
        );
        text
    }
}

/// What a message of the link is to a person.
fn message(event: Function) -> &'static str {
    match event {
        Function::CommandSend => "command",
        Function::CommandAck => "acknowledgement",
        Function::Preflight => "preflight",
        Function::Poll => "progress",
        Function::SlotRelease => "result",
        Function::StoreCommit => "result's acknowledgement",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::experiment::catalogue::FaultKind;

    #[test]
    fn a_fault_is_told_by_whom_it_is_about_and_how_strong_it_is() {
        let said = |kind: &str, params: serde_json::Value, hosts: &[usize], instances: &[usize]| {
            let params = params.as_object().cloned().unwrap_or_default();
            let what = FaultKind::read(kind, &params).expect("a kind");
            let (hosts, instances) = (hosts.to_vec(), instances.to_vec());
            about(&Planned { at_s: 1, for_s: 2, hosts, instances, what })
        };
        let one_way = json!({"direction": "to_controller"});
        assert_eq!(said("link.one_way", one_way, &[1], &[]), "host-2, direction to_controller");
        let error = said("endpoint.http_error", json!({"share": 0.456}), &[], &[3, 4]);
        assert!(error.contains("share 0.46") && error.ends_with("2 instances"), "{error}");
        assert_eq!(said("link.partition", json!({}), &[0, 2], &[]), "host-1, host-3");
    }
}
