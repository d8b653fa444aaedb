//! The whole page of one run.

use maud::{Markup, html};

use super::{
    Timeline,
    chain::{at_s, instances, named, times, what_broke},
    drawing::{clock, draw},
    style::{class, heading, page},
};
use crate::{
    experiment::{Verdict, catalogue},
    history::{Event, History},
    oracle::Checked,
};

/// Violations of one invariant that are marked in the picture.
const MARKED_MAX: usize = 100;

/// What this page calls things, for who does not live in this house.
const WORDS: [(&str, &str); 12] = [
    ("instance", "what belongs to one user and sleeps while nobody uses it; it runs on a host"),
    ("wake", "starting one instance, from the first wish to its end; an attempt is one command for it"),
    ("forecast", "a wake that nobody asked for: its user is expected. One who asks is a person (demand)"),
    ("controller, agent", "the controller decides what is started; an agent on each host does it"),
    ("session, epoch", "the link of an agent to the controller; each new one has a higher number, its epoch"),
    ("gate", "whether anything may be started on a host now: its CPU, its places, how old its figures are"),
    ("permit", "the right to be one of the few wakes in progress on a host, given back at the end"),
    (
        "place",
        "room for one wake in progress on a host; one is kept for who asks, so forecasts are told of one less",
    ),
    ("effect", "an endpoint was called and the instance really began to start"),
    ("lever", "what an operator pulls to have nothing more started"),
    ("hit, chance", "a fault met what it was to meet; a chance is each time it could have"),
    ("invariant", "what must hold in every run, whatever fails; judged over the whole history afterwards"),
];

/// A fault of the run: whom it was about, when it was on, and whether it bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Struck {
    pub kind: &'static str,
    /// Whom and how strong, in words; may be empty.
    pub what: String,
    /// Seconds since the run began.
    pub from_s: f64,
    pub to_s: f64,
    pub hits: u64,
    pub opportunities: u64,
    /// Still on in the end.
    pub is_on: bool,
}

impl Struck {
    pub(super) fn name(&self) -> String {
        if self.what.is_empty() { self.kind.to_owned() } else { format!("{} ({})", self.kind, self.what) }
    }

    /// The proof, in words.
    pub(super) fn bite(&self) -> String {
        let count =
            |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        let chances = count(self.opportunities, "chance");
        if self.hits == 0 {
            format!("hit nobody in {chances}")
        } else {
            format!("{} in {chances}", count(self.hits, "hit"))
        }
    }
}

/// What is known of a run besides its history.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Of one line.
    pub title: &'a str,
    pub verdict: Verdict,
    pub invariants: &'a [Checked],
    /// Those that must have had something to judge.
    pub required: &'a [&'a str],
    /// Those that are asked for and that no judge of such a run looks at.
    pub not_judged: &'a [String],
    pub faults: &'a [Struck],
    pub not_recovered: &'a [String],
    /// What speaks against it besides.
    pub why: &'a [String],
    /// When it was stopped, in seconds since the run began, and by which guard.
    pub stopped: Option<(f64, &'a str)>,
    /// The command that plays it again.
    pub replay: &'a str,
    /// What is said to that command so that it writes this page.
    pub written_by: &'a str,
    /// The command that makes a plan that does not hold smaller, where there is one.
    pub shrink: Option<&'a str>,
    /// What was to be shown, where it is more than that nothing breaks.
    pub claim: Option<&'a Markup>,
    /// What it was made from, and what that is called.
    pub plan: (&'a str, &'a str),
}

/// The page, complete with its style.
pub fn render(history: &History, told: &Told<'_>) -> String {
    let events = &history.events;
    let timeline = Timeline::of(events);
    let broken = told
        .invariants
        .iter()
        .flat_map(|one| one.violations.iter().take(MARKED_MAX).map(|broken| (at_s(events, broken), one.id)));
    let marks: Vec<(f64, &str)> = broken.chain(told.stopped).collect();
    let is_broken = told.invariants.iter().any(|one| !one.violations.is_empty());
    let body = html! {
        (heading(told.title, told.verdict))
        (head(history))
        (verdict(events, told))
        @if let Some(claim) = told.claim { (claim) }
        h2 { "What happened when" }
        (legend(timeline.gates_every_s))
        div.wide { (draw(&timeline, told.faults, &marks)) }
        @if is_broken {
            h2 { "What broke, and the events that show it" }
            p.soft { "Of each violation the story of its wake; the events that break the invariant are shaded. Point at a "
                "row for the record as it is in the history." }
            (what_broke(events, told.invariants, told.faults))
        }
        (faults(told.faults))
        (invariants(told))
        h2 { "See it again" }
        p { "The same plan with the same build is the same history, byte for byte:" }
        pre { (told.replay) }
        p { "With " code { "--keep DIR" } " it leaves the history, the databases and the log in a directory, with "
            code { (told.written_by) } " this page." }
        @if let Some(shrink) = told.shrink.filter(|_| is_broken) {
            p { "This makes the plan as small as it gets while the same invariant breaks:" }
            pre { (shrink) }
        }
        details { summary { (told.plan.0) } pre { (told.plan.1) } }
    };
    page(told.title, &body)
}

fn head(history: &History) -> Markup {
    let header = &history.header;
    let (first, last) = (history.events.first(), history.events.last());
    let wall = |event: Option<&Event>| event.map_or("", |event| event.wall.as_str()).to_owned();
    html! {
        p.soft { (header.experiment) ", seed " (header.seed) ", " (header.clock) " clock, "
            (wall(first)) " to " (wall(last)) ", " (history.events.len()) " events" }
    }
}

/// The verdict in words, with its reason.
fn verdict(events: &[Event], told: &Told<'_>) -> Markup {
    let judged: u64 = told.invariants.iter().map(|one| one.checked).sum();
    let bit = told.faults.iter().filter(|fault| fault.hits > 0).count();
    let idle: Vec<&str> = told.invariants.iter().filter(|one| one.checked == 0).map(|one| one.id).collect();
    let wakes = instances(events);
    let empty: Vec<&str> = idle.iter().copied().filter(|id| told.required.contains(id)).collect();
    html! {
        div class=(format!("verdict {}", class(told.verdict))) {
            @for one in told.invariants {
                @if let Some(first) = one.violations.first() {
                    p { strong { (one.id) " was broken " (times(one.violations.len())) } ", first " (clock(at_s(events, first)))
                        " after the start: " (named(&first.text, &wakes)) "." }
                }
            }
            @for what in told.not_recovered { p { strong { "Not recovered: " } (what) "." } }
            @for fault in told.faults.iter().filter(|fault| fault.is_on) {
                p { strong { "Not recovered: " } (fault.name()) " is still on." }
            }
            @for why in told.why { p { strong { (sentence(why)) } } }
            @if !empty.is_empty() {
                p { strong { "There was nothing to judge for " (empty.join(", ")) } ": this run proves nothing of it." }
            }
            @if told.verdict == Verdict::Held {
                p { strong { "Nothing broke." } " " (told.invariants.len() - idle.len()) " invariants had something to judge, and "
                    "held." @if !idle.is_empty() { " Nothing was judged for " (idle.join(", ")) "." } }
            }
            p { (judged) " cases were judged. "
                @if told.faults.is_empty() { "There were no faults." }
                @else { (bit) " of " (told.faults.len()) " faults met somebody." } }
            p { "Again: " code { (told.replay) } }
        }
    }
}

/// With a capital, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn legend(gates_every_s: f64) -> Markup {
    let kinds = [
        ("fault", "fault (dashed: it hit nobody)"),
        ("cpu", "CPU of the host as it reports it"),
        ("limit", "its ceiling"),
        ("cut", "no session with the controller"),
        ("shut", "gate closed: nothing may start"),
        ("due", "a forecast is due"),
        ("ask", "a person asks, or finds an instance asleep"),
        ("good", "attempt that woke"),
        ("awake", "found it awake"),
        ("bad", "did not wake"),
        ("open", "no result"),
        ("death", "death or restart"),
        ("line", "invariant broken, or a guard has stopped it"),
    ];
    html! {
        div.legend { @for (class, what) in kinds { span { i class=(class) {} (what) } } }
        p.soft { "Hours, minutes and seconds since the run began. Point at anything to read it."
            @if gates_every_s > 0.0 { " Gates are looked at every " (gates_every_s) " s: one that was open for a moment in "
                "between is drawn as closed, and something may have started then." } }
        details { summary { "The words of this page" }
            dl { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } } }
    }
}

fn faults(faults: &[Struck]) -> Markup {
    html! {
        h2 { "Faults, and whether they bit" }
        @if faults.is_empty() { p { "None were planned." } } @else {
            div.wide { table {
                tr { th { "fault" } th { "what it does" } th { "whom, and how strong" }
                    th.number { "from" } th.number { "to" } th.number { "hits" }
                    th.number { "chances" } th { "proven" } th { "over" } }
                @for fault in faults {
                    tr class=[if fault.is_on { Some("bad") } else { (fault.hits == 0).then_some("doubt") }] {
                        td { (fault.kind) }
                        td { (catalogue::info(fault.kind).map_or("", |info| info.idea)) }
                        td { (fault.what) }
                        td.number { (clock(fault.from_s)) }
                        td.number { (clock(fault.to_s)) }
                        td.number { (fault.hits) }
                        td.number { (fault.opportunities) }
                        td { @if fault.hits > 0 { "yes" } @else { "no: it met nobody" } }
                        td { @if fault.is_on { "no" } @else { "yes" } }
                    }
                }
            } }
        }
    }
}

fn invariants(told: &Told<'_>) -> Markup {
    html! {
        h2 { "Invariants" }
        div.wide { table {
            tr { th { "" } th { "statement" } th.number { "judged" } th.number { "broken" } th { "" } }
            @for one in told.invariants {
                @let is_broken = !one.violations.is_empty();
                tr class=[if is_broken { Some("bad") } else { (one.checked == 0).then_some("doubt") }] {
                    td { (one.id) }
                    td { (one.statement) }
                    td.number { (one.checked) }
                    td.number { (one.violations.len()) }
                    td { @if is_broken { "broken" } @else if one.checked == 0 { "nothing to judge" } @else { "held" } }
                }
            }
        } }
        @if !told.not_judged.is_empty() {
            p { "Not judged in such a run, although the file names them: " (told.not_judged.join(", ")) "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        history::{Function, Header, Key, Kind},
        oracle::Violation,
    };

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
        let struck = |what: &str, from_s: f64| Struck {
            kind: "link.reset",
            what: what.into(),
            from_s,
            to_s: from_s + 2.0,
            hits: 0,
            opportunities: 3,
            is_on: false,
        };
        let told = Told {
            title: "seed 7",
            verdict,
            invariants: &[checked],
            required: &["S4", "S9"],
            not_judged: &["S8".to_owned()],
            faults: &[struck("host-1", 2.0), struck("host-2", 0.0)],
            not_recovered: &[],
            why: &["the guard `cpu` stops it".to_owned()],
            stopped: Some((4.0, "cpu")),
            replay: "reveille-chaos replay --seed 7",
            written_by: "--html FILE",
            shrink: Some("reveille-chaos shrink --seed 7"),
            claim: None,
            plan: ("The plan", "{}"),
        };
        render(&history, &told)
    }

    #[test]
    fn a_page_says_what_broke_why_and_how_to_see_it_again() {
        let violation = Violation { i: 3, text: "two effects".into(), chain: vec![1, 3] };
        let page = page(vec![violation]);
        for text in [
            "violated",
            "S4 was broken once",
            "first 0:00:03 after the start: two effects",
            "the call takes effect: dev1 is told to start",
            "On, and met by nobody: link.reset (host-1), 0:00:02 to 0:00:04; link.reset (host-2), 0:00:00 to 0:00:02.",
            "it met nobody",
            "The guard `cpu` stops it.",
            "With <code>--keep DIR</code> it leaves the history, the databases and the log in a directory, with <code>--html FILE</code> this page.",
            "replay --seed 7",
            "shrink --seed 7",
            "although the file names them: S8.",
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
        assert_eq!(page.matches("class=\"here\"").count(), 2, "both effects are marked");
        let (before, after) = page.split_once("and afterwards").expect("what became of it");
        let later = "<td class=\"number\">4</td><td>0:00:04";
        assert!(!before.contains(later) && after.contains(later), "what came later is not the reason");
        assert!(!page.contains("http://") && !page.contains("https://"), "it loads nothing");
    }

    #[test]
    fn a_page_of_a_run_that_held_says_so() {
        let page = page(Vec::new());
        assert!(
            page.contains("1 invariants had something to judge, and held.") && page.contains("badge held"),
            "{page}"
        );
        assert!(!page.contains("shrink --seed 7"), "there is nothing to make smaller");
    }
}
