//! A scorecard as tables for a terminal.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, CellAlignment, Color, LineStyle, Table, TableStyle, presets};

use super::{Scorecard, proof};

/// How every table looks: lines above, below and under the header, none between rows.
pub const STYLE: TableStyle = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// Renders the scorecard; `colours` is for the caller to decide, by whether it writes to a terminal.
pub fn render(card: &Scorecard, colours: bool) -> String {
    let mut text = format!("Report from {:.0} to {:.0}, {} instances\n", card.from, card.to, card.instances);
    let mut add = |table: Table| {
        let _ = writeln!(text, "{table}");
    };
    add(figures(card, colours));
    if !card.baseline.is_empty() {
        add(baseline(card, colours));
    }
    if !card.hosts.is_empty() {
        add(hosts(card, colours));
    }
    text.push_str(&proof::render(card, colours));
    for note in &card.notes {
        let _ = writeln!(text, "* {note}");
    }
    text
}

fn figures(card: &Scorecard, colours: bool) -> Table {
    let mut table = plain(&["", ""], colours);
    let of_arrivals = |n: u64| format!("{n}{}", percent_of(n, card.arrivals));
    let ends: Vec<_> = card.wakes_by_end.iter().map(|(end, n)| format!("{n} {end}")).collect();
    let verdicts: Vec<_> =
        card.wakes_by_verdict.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
    let per_day = card.idle_hours_per_instance_day;
    let rows = [
        ("arrivals", card.arrivals.to_string()),
        ("found awake", of_arrivals(card.found_awake)),
        ("still had to ask", of_arrivals(card.asked)),
        ("wakes by forecast", card.wakes.to_string()),
        ("  by end", joined(&ends)),
        ("  by verdict", joined(&verdicts)),
        ("  delayed by load", card.wakes_delayed.to_string()),
        ("wakes asked for", card.wakes_asked_for.to_string()),
        ("precision", percent(card.precision)),
        ("recall", percent(card.recall)),
        ("minutes saved", format!("{:.1}", card.minutes_saved)),
        ("minutes still waited", format!("{:.1}", card.minutes_waited)),
        ("idle hours", format!("{:.1}", card.idle_hours)),
        ("  per instance and day", per_day.map_or_else(dash, |hours| format!("{hours:.2}"))),
    ];
    for (name, value) in rows {
        let value = Cell::new(value).set_alignment(CellAlignment::Right);
        let good = matches!(name, "found awake" | "minutes saved");
        table.add_row([Cell::new(name), if good && colours { value.fg(Color::Green) } else { value }]);
    }
    table
}

fn baseline(card: &Scorecard, colours: bool) -> Table {
    let mut table = plain(&["cohort", "asked/day before", "over days", "asked/day now", "change"], colours);
    let rate = |rate: Option<f64>| rate.map_or_else(dash, |rate| format!("{rate:.2}"));
    for cohort in &card.baseline {
        let name = if cohort.cohort.is_empty() { "(none)" } else { &cohort.cohort };
        let change = Cell::new(cohort.change_percent.map_or_else(dash, |change| format!("{change:+.0} %")));
        let less = cohort.change_percent.is_some_and(|change| change < 0.0);
        table.add_row([
            Cell::new(name),
            Cell::new(rate(cohort.before_per_day)),
            Cell::new(format!("{:.1}", cohort.before_days)),
            Cell::new(rate(cohort.now_per_day)),
            if colours && less { change.fg(Color::Green) } else { change },
        ]);
    }
    align_right(table)
}

fn hosts(card: &Scorecard, colours: bool) -> Table {
    let mut table = plain(&["host", "highest CPU", "ceiling", "time above"], colours);
    for host in &card.hosts {
        let highest = Cell::new(format!("{:.1} %", host.cpu_max_percent));
        let above = host.cpu_max_percent > host.cpu_ceiling_percent;
        table.add_row([
            Cell::new(&host.host),
            if colours && above { highest.fg(Color::Red) } else { highest },
            Cell::new(format!("{:.0} %", host.cpu_ceiling_percent)),
            Cell::new(format!("{:.2} %", host.above_ceiling_percent)),
        ]);
    }
    align_right(table)
}

pub(super) fn plain(header: &[&str], colours: bool) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if header.iter().any(|name| !name.is_empty()) {
        table.set_header(header.iter().map(|name| {
            let cell = Cell::new(name);
            if colours { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
    }
    table
}

pub(super) fn align_right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn percent_of(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!(" ({:.0} %)", part as f64 / whole as f64 * 100.0) }
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(dash, |share| format!("{:.1} %", share * 100.0))
}

fn joined(parts: &[String]) -> String {
    if parts.is_empty() { dash() } else { parts.join(", ") }
}

pub(super) fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::scorecard::tests::card;
    use super::*;

    #[test]
    fn the_report_reads_well() {
        insta::assert_snapshot!(render(&card(), false));
    }

    /// What is good is green, what is too much is red, headers are bold.
    #[test]
    fn colours_say_what_is_good() {
        let mut card = card();
        insta::assert_snapshot!(render(&card, true).replace('\u{1b}', "ESC"));
        card.hosts[0].cpu_max_percent = card.hosts[0].cpu_ceiling_percent;
        card.baseline[0].change_percent = Some(0.0);
        card.baseline[0].cohort = String::new();
        let text = render(&card, true);
        assert!(text.contains("(none)"), "{text}");
        let [red, green] = ["\u{1b}[38;5;9m", "\u{1b}[38;5;10m"].map(|colour| text.matches(colour).count());
        assert_eq!((red, green), (0, 2), "a host at its ceiling is not above it, and no change is not less");
    }

    #[test]
    fn a_card_of_nothing_has_no_tables_of_cohorts_and_hosts() {
        let mut card = card();
        card.baseline.clear();
        card.hosts.clear();
        card.arrivals = 0;
        card.wakes_by_end.clear();
        card.precision = None;
        card.recall = None;
        card.idle_hours_per_instance_day = None;
        let text = render(&card, false);
        assert!(!text.contains("cohort") && !text.contains("ceiling") && !text.contains('%'), "{text}");
        assert_eq!(text.lines().filter(|line| line.trim_end().ends_with(" -")).count(), 4, "{text}");
    }

    #[test]
    fn colours_only_when_asked_for() {
        assert!(!render(&card(), false).contains('\x1b'));
        assert!(render(&card(), true).contains('\x1b'));
    }
}
