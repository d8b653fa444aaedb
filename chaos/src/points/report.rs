//! What a sweep found: a line per kind of point, the invariants, and every violation with the command that shows it again.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{CellAlignment, Table};
use reveille_controller::report::STYLE;
use serde::Serialize;

use super::{PointKey, RunOutcome, nodes::CONTROLLER};
use crate::{experiment::Verdict, oracle::Checked};

/// The invariant of what no invariant speaks of.
const UNASKED: &str = "run";

/// One thing that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub database: &'static str,
    /// `None` in a course in which nobody died.
    pub point: Option<PointKey>,
    pub invariant: &'static str,
    pub text: String,
    /// Walks up to the point again.
    pub command: String,
}

/// What became of one point.
#[derive(Debug)]
pub struct PointResult {
    database: &'static str,
    point: PointKey,
    reached: bool,
    checked: Vec<Checked>,
    problems: Vec<String>,
}

impl PointResult {
    pub fn new(database: &'static str, point: PointKey, outcome: RunOutcome) -> Self {
        let RunOutcome { died: reached, checked, problems, .. } = outcome;
        Self { database, point, reached, checked, problems }
    }

    fn is_broken(&self) -> bool {
        !self.problems.is_empty() || self.checked.iter().any(|checked| !checked.violations.is_empty())
    }
}

/// Points of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub points: u64,
    pub held: u64,
    pub violated: u64,
    pub inconclusive: u64,
}

/// One invariant over all courses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    pub statement: &'static str,
    pub checked: u64,
    pub violations: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    pub every: u32,
    pub courses: u64,
    /// By database, process and step.
    pub by_kind: BTreeMap<String, Tally>,
    /// By invariant.
    pub judged: BTreeMap<&'static str, Judged>,
    pub violations: Vec<Broken>,
    /// Points that were not reached, although tried several times.
    pub not_reached: Vec<String>,
    /// Events and effects of a wake that the course did not pass.
    pub not_passed: Vec<String>,
    /// Points that were not passed each time the course was walked as it is, and are left out.
    pub unsteady: u64,
    /// What was to happen once more and did not in any of the tries: passed every time by luck, and left out as well.
    pub not_again: Vec<String>,
    pub skipped: Vec<String>,
    /// Stopped by whoever ran it, before every point was walked up to.
    pub aborted: bool,
    pub verdict: Verdict,
}

impl Sweep {
    pub fn new(every: u32) -> Self {
        Self {
            every,
            courses: 0,
            by_kind: BTreeMap::new(),
            judged: BTreeMap::new(),
            violations: Vec::new(),
            not_reached: Vec::new(),
            not_passed: Vec::new(),
            unsteady: 0,
            not_again: Vec::new(),
            skipped: Vec::new(),
            aborted: false,
            verdict: Verdict::Inconclusive,
        }
    }

    /// A course in which nobody was to die.
    pub fn add_reference(&mut self, database: &'static str, outcome: &RunOutcome) {
        self.count(&outcome.checked);
        self.keep(database, None, &outcome.checked, &outcome.problems);
    }

    pub fn add(&mut self, result: &PointResult) {
        self.count(&result.checked);
        let PointResult { database, point, reached, .. } = result;
        if !reached && point.nth > 1 && !result.is_broken() {
            self.not_again.push(format!("{database} {point}"));
            return self.keep(database, Some(point), &result.checked, &result.problems);
        }
        let process = if point.node == CONTROLLER { CONTROLLER } else { "agent" };
        let tally = self.by_kind.entry(format!("{database} {process} {}", point.step)).or_default();
        tally.points += 1;
        if result.is_broken() {
            tally.violated += 1;
        } else if *reached {
            tally.held += 1;
        } else {
            tally.inconclusive += 1;
        }
        if !reached {
            self.not_reached.push(format!("{database} {point}"));
        }
        self.keep(database, Some(point), &result.checked, &result.problems);
    }

    fn count(&mut self, all: &[Checked]) {
        self.courses += 1;
        for checked in all {
            let judged = self.judged.entry(checked.id).or_insert(Judged {
                statement: checked.statement,
                checked: 0,
                violations: 0,
            });
            judged.checked += checked.checked;
            judged.violations += checked.violations.len() as u64;
        }
    }

    fn keep(
        &mut self,
        database: &'static str,
        point: Option<&PointKey>,
        checked: &[Checked],
        problems: &[String],
    ) {
        let found = checked.iter().flat_map(|checked| {
            checked.violations.iter().map(|violation| (checked.id, violation.text.clone()))
        });
        let problems = problems.iter().map(|problem| (UNASKED, problem.clone()));
        for (invariant, text) in found.chain(problems) {
            let only = point.map_or_else(String::new, |point| format!(" --only '{point}'"));
            let command = format!("reveille-chaos bench points --database {database}{only} --keep DIR");
            self.violations.push(Broken { database, point: point.cloned(), invariant, text, command });
        }
    }

    /// Green only when every point was reached and every invariant had something to judge.
    pub fn judge(&mut self) {
        let points: u64 = self.by_kind.values().map(|tally| tally.points).sum();
        let nothing_judged = self.judged.values().any(|judged| judged.checked == 0);
        self.verdict = if !self.violations.is_empty() {
            Verdict::Violated
        } else if self.aborted {
            Verdict::Aborted
        } else if points == 0 || !self.not_reached.is_empty() || !self.not_passed.is_empty() || nothing_judged
        {
            Verdict::Inconclusive
        } else {
            Verdict::Held
        };
    }

    pub fn render(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.points(), self.invariants());
        for broken in &self.violations {
            let point = broken.point.as_ref().map_or_else(|| "nobody died".to_owned(), PointKey::to_string);
            writeln!(
                text,
                "\n{} {point}\n  {}: {}\n  {}",
                broken.database, broken.invariant, broken.text, broken.command
            )
            .expect("text can be written to");
        }
        for point in &self.not_reached {
            writeln!(text, "not reached: {point}").expect("text can be written to");
        }
        for point in &self.not_again {
            writeln!(text, "left out, it does not happen again every time: {point}")
                .expect("text can be written to");
        }
        for what in &self.not_passed {
            writeln!(text, "the course did not pass: {what}").expect("text can be written to");
        }
        for skipped in &self.skipped {
            writeln!(text, "skipped: {skipped}").expect("text can be written to");
        }
        if self.unsteady > 0 {
            writeln!(text, "{} points are not passed every time and were left out", self.unsteady)
                .expect("text can be written to");
        }
        let (courses, verdict) = (self.courses, self.verdict);
        writeln!(text, "{courses} courses, verdict: {verdict:?}").expect("text can be written to");
        text
    }

    fn points(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE).set_header(["a death at each", "points", "held", "violated", "inconclusive"]);
        for (kind, tally) in &self.by_kind {
            let Tally { points, held, violated, inconclusive } = tally;
            let counts = [points, held, violated, inconclusive].map(ToString::to_string);
            table.add_row(std::iter::once(kind.clone()).chain(counts));
        }
        right(&mut table, 1..5);
        table
    }

    fn invariants(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE).set_header(["invariant", "", "judged", "violated"]);
        let mut judged: Vec<_> = self.judged.iter().collect();
        judged.sort_by_key(|(id, _)| (!id.starts_with('S'), id[1..].parse::<u32>().unwrap_or(0)));
        for (id, judged) in judged {
            let Judged { statement, checked, violations } = judged;
            table.add_row([
                (*id).to_owned(),
                (*statement).to_owned(),
                checked.to_string(),
                violations.to_string(),
            ]);
        }
        right(&mut table, 2..4);
        table
    }
}

fn right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Violation;

    fn checked(count: u64, broken: bool) -> Checked {
        let violation = Violation { i: 1, text: "two effects".into(), chain: vec![1] };
        let violations = if broken { vec![violation] } else { Vec::new() };
        Checked { checked: count, violations, ..Checked::new("S4", "one effect") }
    }

    fn outcome(died: bool, checked: Checked, problems: &[&str]) -> RunOutcome {
        let problems = problems.iter().map(|problem| (*problem).to_owned()).collect();
        RunOutcome { passed: Vec::new(), died, checked: vec![checked], problems }
    }

    fn swept(outcome: RunOutcome) -> Sweep {
        let point = "agent-1/recorded/calling/accepted/1".parse().expect("a point");
        let mut sweep = Sweep::new(1);
        sweep.add(&PointResult::new("sqlite", point, outcome));
        sweep.judge();
        sweep
    }

    #[test]
    fn only_a_sweep_that_reached_and_judged_everything_is_held() {
        assert_eq!(swept(outcome(true, checked(3, false), &[])).verdict, Verdict::Held);
        assert_eq!(swept(outcome(false, checked(3, false), &[])).verdict, Verdict::Inconclusive);
        assert_eq!(swept(outcome(true, checked(0, false), &[])).verdict, Verdict::Inconclusive);
        assert_eq!(swept(outcome(true, checked(3, true), &[])).verdict, Verdict::Violated);
        assert_eq!(swept(outcome(true, checked(3, false), &["it panicked"])).verdict, Verdict::Violated);
        let mut nothing = Sweep::new(1);
        nothing.judge();
        assert_eq!(nothing.verdict, Verdict::Inconclusive);
        let mut partial = swept(outcome(true, checked(3, false), &[]));
        partial.not_passed.push("sqlite force".into());
        partial.judge();
        assert_eq!(partial.verdict, Verdict::Inconclusive);
        partial.aborted = true;
        partial.judge();
        assert_eq!(partial.verdict, Verdict::Aborted);
    }

    #[test]
    fn what_does_not_happen_again_is_left_out_and_named() {
        let point: PointKey = "agent-1/told/ack/forecast/2".parse().expect("a point");
        let mut sweep = swept(outcome(true, checked(3, false), &[]));
        sweep.add(&PointResult::new("sqlite", point.clone(), outcome(false, checked(3, false), &[])));
        sweep.judge();
        assert_eq!((sweep.verdict, sweep.by_kind.len()), (Verdict::Held, 1));
        let text = sweep.render();
        assert!(
            text.contains("left out, it does not happen again every time: sqlite agent-1/told/ack"),
            "{text}"
        );
        sweep.add(&PointResult::new("sqlite", point, outcome(false, checked(3, true), &[])));
        sweep.judge();
        assert_eq!(sweep.verdict, Verdict::Violated, "what was broken on the way counts");
        let mut only = Sweep::new(1);
        let point = "agent-1/told/ack/forecast/2".parse().expect("a point");
        only.add(&PointResult::new("sqlite", point, outcome(false, checked(3, false), &[])));
        only.judge();
        assert_eq!(only.verdict, Verdict::Inconclusive, "a sweep of nothing proves nothing");
    }

    #[test]
    fn a_violation_names_its_point_and_how_to_see_it_again() {
        let sweep = swept(outcome(true, checked(3, true), &[]));
        let text = sweep.render();
        let command = "reveille-chaos bench points --database sqlite \
                       --only 'agent-1/recorded/calling/accepted/1' --keep DIR";
        assert!(text.contains("S4: two effects") && text.contains(command), "{text}");
        let tally = sweep.by_kind["sqlite agent recorded"];
        assert_eq!(tally, Tally { points: 1, violated: 1, ..Tally::default() });
    }
}
