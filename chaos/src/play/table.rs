//! The report of a play for people.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use reveille_controller::report::STYLE;
use serde_json::Value;

use super::{Played, outcome::HostOutcome, spec::ABOVE_CEILING_PERCENT_MAX};
use crate::oracle::Checked;

/// Violations shown per invariant; the history holds the rest.
const VIOLATIONS_SHOWN_MAX: usize = 5;

/// The whole report, ready to print.
pub fn render(played: &Played) -> String {
    let title = format!(
        "{} of {} instances, seed {}, {} to {} at {:.0}x in {:.0} s",
        played.experiment, played.instances, played.seed, played.from, played.to, played.speed, played.wall_s
    );
    let exact = format!(
        "judged to {:.0} s of the world, less sharply around the moments when this machine was late (at most {} ms)",
        played.transit_s, played.late_ms_max
    );
    let tables = [users(played), hosts(played), invariants(&played.invariants)];
    let faults = played.faults.iter();
    let faults = faults.map(|f| format!("fault {}: hit {} of {} times", f.kind, f.hits, f.opportunities));
    let problems =
        played.deviations.iter().chain(&played.not_recovered).map(|problem| format!("! {problem}"));
    let kept = played.kept.iter().map(|kept| format!("kept in {}", kept.display()));
    let mut lines = vec![title];
    lines.extend(tables.iter().map(Table::to_string));
    lines.push(exact);
    lines.extend(faults);
    lines.extend(problems);
    lines.extend(played.invariants.iter().flat_map(violations));
    lines.extend(kept);
    lines.push(format!("verdict: {}\n", name(&played.verdict)));
    lines.join("\n")
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Three views side by side: the users before Reveille, the same users now as the world counted them, and what the
/// controller reports from its logs alone.
fn users(played: &Played) -> Table {
    let (users, before, report) = (&played.users, &played.before, &played.report);
    let share = |part: u64| format!("{part} ({:.0} %)", 100.0 * part as f64 / users.arrivals.max(1) as f64);
    let mut table = table(&["users and wakes", "before", "now", "as reported"]);
    let mut row = |name: &str, before: String, now: String, reported: String| {
        table.add_row([name.to_owned(), before, now, reported]);
    };
    let none = String::new;
    row("arrivals", none(), users.arrivals.to_string(), count(report, "arrivals"));
    let awake_before = format!("{:.0} %", before.found_awake_percent);
    row("found awake", awake_before, share(users.found_awake), count(report, "found_awake"));
    row("still had to ask", none(), share(users.asked()), count(report, "asked"));
    let asked_now = format!("{:.1}", played.asked_per_day);
    row(
        "asked per day, same weekdays",
        format!("{:.1}", before.asked_per_day_same_weekdays),
        asked_now,
        none(),
    );
    row("asked per day, all 30 days", format!("{:.1}", before.asked_per_day), none(), none());
    row("minutes users waited", none(), format!("{:.0}", users.waited_s as f64 / 60.0), none());
    row("minutes saved", none(), none(), number(report, "minutes_saved"));
    row("idle hours spent", none(), none(), number(report, "idle_hours"));
    row("wakes", none(), played.wakes.total.to_string(), none());
    for (end, wakes) in &played.wakes.by_end {
        row(&format!("  {end}"), none(), wakes.to_string(), none());
    }
    for (verdict, wakes) in &played.wakes.by_verdict {
        row(&format!("  {verdict}"), none(), wakes.to_string(), none());
    }
    table
}

fn hosts(played: &Played) -> Table {
    let ceiling = format!("above {:.0} %, s", played.cpu_ceiling_percent);
    let share = format!("share (at most {ABOVE_CEILING_PERCENT_MAX} %)");
    let head = ["host", "CPU max %", "CPU mean %", &ceiling, &share, "boots", "at once"];
    let mut table = table(&head);
    for HostOutcome { host, record, above_ceiling_percent } in &played.hosts {
        table.add_row([
            host.clone(),
            format!("{:.1}", record.cpu_max_percent),
            format!("{:.1}", record.cpu_mean_percent),
            record.above_ceiling_s.to_string(),
            format!("{above_ceiling_percent:.2} %"),
            record.boots.to_string(),
            record.boots_at_once_max.to_string(),
        ]);
    }
    table
}

fn invariants(checked: &[Checked]) -> Table {
    let mut table = table(&["invariant", "judged", "violated"]);
    for one in checked {
        let name = format!("{}  {}", one.id, one.statement);
        table.add_row([name, one.checked.to_string(), one.violations.len().to_string()]);
    }
    table
}

fn violations(one: &Checked) -> Vec<String> {
    let shown = one.violations.iter().take(VIOLATIONS_SHOWN_MAX).map(|violation| {
        let chain: Vec<String> = violation.chain.iter().map(u64::to_string).collect();
        format!("! {}: {} (events {})", one.id, violation.text, chain.join(", "))
    });
    let hidden = one.violations.len().saturating_sub(VIOLATIONS_SHOWN_MAX);
    let hidden = (hidden > 0).then(|| format!("! {}: and {hidden} more", one.id));
    shown.chain(hidden).collect()
}

fn count(report: &Value, field: &str) -> String {
    report.get(field).and_then(Value::as_u64).map_or_else(|| "-".into(), |value| value.to_string())
}

fn number(report: &Value, field: &str) -> String {
    report.get(field).and_then(Value::as_f64).map_or_else(|| "-".into(), |value| format!("{value:.1}"))
}

/// The name a serialized enum has.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
