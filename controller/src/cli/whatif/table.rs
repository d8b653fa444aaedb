//! What a replay found, for people.

use comfy_table::Cell;

use super::{plot::frontier, report::WhatifReport};
use crate::{
    cli::screen::{dash, judged, number, rows_or, table},
    report::{
        plot::{Terminal, frontier_text},
        whatif::{Card, HostCard},
    },
};

/// Tables, the frontier, and what to mind.
pub(super) fn render(report: &WhatifReport, terminal: Terminal) -> String {
    let model = report.model.version.map_or_else(
        || "the model Reveille comes with".to_owned(),
        |version| format!("model version {version}"),
    );
    let head = format!(
        "What if, from {} to before {}, {} instances, {model}",
        report.from, report.to, report.instances
    );
    let (current, new) = (&report.current.card, &report.new.card);
    let mut parts = vec![head, changes(report), cards(current, new)];
    if !current.hosts.is_empty() {
        parts.push(hosts(&current.hosts, &new.hosts));
    }
    parts.push(frontier_text(&frontier(report), terminal));
    parts.extend(report.notes.iter().map(|note| format!("* {note}")));
    parts.join("\n")
}

fn changes(report: &WhatifReport) -> String {
    let mut table = table(["policy", "current", "new"]);
    for change in &report.changes {
        table.add_row([&change.key, &change.current.to_string(), &change.new.to_string()]);
    }
    rows_or(&table, "both policies are the same")
}

/// How a change of a figure is told, and which way is good news.
#[derive(Debug, Clone, Copy)]
enum Better {
    More,
    Less,
    Neither,
}

fn cards(current: &Card, new: &Card) -> String {
    let mut table = table(["users and wakes", "current", "new", "change"]);
    let mut count = |name: &str, of: fn(&Card) -> u64, better: Better| {
        let (was, is) = (of(current), of(new));
        let change = i128::from(is) - i128::from(was);
        let told = if change == 0 { dash() } else { format!("{change:+}") };
        let change = judge(&told, change as f64, better);
        table.add_row([Cell::new(name), number(was), number(is), change]);
    };
    count("arrivals", |card| card.arrivals, Better::Neither);
    count("found awake", |card| card.found_awake, Better::More);
    count("had to ask", |card| card.asked, Better::Less);
    count("  while it was starting", |card| card.asked_while_starting, Better::Neither);
    count("wakes", |card| card.wakes, Better::Neither);
    count("  nobody came for", |card| card.wakes_false, Better::Less);
    count("  delayed", |card| card.wakes_delayed, Better::Less);
    count("not started in time", |card| card.wakes_expired, Better::Less);
    count("overtaken by their user", |card| card.wakes_overtaken, Better::Less);
    let mut measure =
        |name: &str, of: fn(&Card) -> Option<f64>, digits: usize, unit: &str, better: Better| {
            // Shares differ by points.
            let points = if unit == " %" { " points" } else { unit };
            let told =
                |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.digits$}{unit}"));
            let change = match (of(current), of(new)) {
                (Some(was), Some(is)) if told(Some(was)) != told(Some(is)) => {
                    judge(&format!("{:+.digits$}{points}", is - was), is - was, better)
                }
                _ => number(dash()),
            };
            table.add_row([Cell::new(name), number(told(of(current))), number(told(of(new))), change]);
        };
    let percent = |card: &Card| card.found_awake_share.map(|share| 100.0 * share);
    measure("share found awake", percent, 1, " %", Better::More);
    measure("idle hours", |card| Some(card.idle_h), 1, "", Better::Less);
    measure("  per instance and day", |card| card.idle_h_per_instance_day, 2, "", Better::Less);
    measure("delay, p50", |card| card.delay_p50_s.map(|s| s as f64), 0, " s", Better::Less);
    measure("delay, p90", |card| card.delay_p90_s.map(|s| s as f64), 0, " s", Better::Less);
    table.to_string()
}

fn hosts(current: &[HostCard], new: &[HostCard]) -> String {
    let mut table = table([
        "host",
        "cores",
        "at rest",
        "CPU max, current",
        "CPU max, new",
        "above ceiling, current",
        "above, new",
    ]);
    let percent = |percent: f64| number(format!("{percent:.1} %"));
    for (was, is) in current.iter().zip(new) {
        table.add_row([
            Cell::new(&was.host),
            number(was.cores),
            percent(was.background_percent),
            percent(was.cpu_max_percent),
            percent(is.cpu_max_percent),
            number(format!("{} s", was.above_ceiling_s)),
            number(format!("{} s", is.above_ceiling_s)),
        ]);
    }
    table.to_string()
}

fn judge(told: &str, change: f64, better: Better) -> Cell {
    let good = match better {
        Better::More => Some(change > 0.0),
        Better::Less => Some(change < 0.0),
        Better::Neither => None,
    };
    judged(told, good.filter(|_| change != 0.0)).set_alignment(comfy_table::CellAlignment::Right)
}
