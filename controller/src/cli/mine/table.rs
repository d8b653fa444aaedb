//! The report as text for people.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table};
use jiff::Timestamp;

use super::report::{FileReport, MineReport, Totals};
use crate::{logs::Counts, report::STYLE};

pub(super) fn write(report: &MineReport, out: &mut dyn Write) -> io::Result<()> {
    let mut files = table(&[
        "file",
        "lines",
        "records",
        "rejects",
        "ignored",
        "no instance",
        "visits",
        "logins",
        "wake requests",
    ]);
    for file in &report.files {
        files.add_row(row(&file.file, &file.counts));
    }
    if report.files.len() > 1 {
        files.add_row(row("total", &report.total.counts));
    }
    writeln!(out, "Requests\n{}", files.trim_fmt())?;
    report.files.iter().try_for_each(|file| write_problems(file, out))?;
    write_totals(&report.total, out)
}

fn table(headers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(headers.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(name: &str, counts: &Counts) -> Vec<Cell> {
    let numbers = [
        counts.lines,
        counts.records,
        counts.rejected(),
        counts.ignored(),
        counts.without_instance(),
        counts.sightings.visit,
        counts.sightings.login,
        counts.sightings.wake_request,
    ];
    std::iter::once(Cell::new(name)).chain(numbers.map(Cell::new)).collect()
}

fn write_problems(file: &FileReport, out: &mut dyn Write) -> io::Result<()> {
    let counts = &file.counts;
    let list = |parts: &[(&str, u64)]| {
        let some = parts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}"));
        some.collect::<Vec<_>>().join(", ")
    };
    let rejects: Vec<_> = counts.rejects.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    let ignored =
        [("agent", counts.ignored_agent), ("path", counts.ignored_path), ("client", counts.ignored_client)];
    let without = [
        ("not named", counts.no_instance),
        ("bad name", counts.bad_instance),
        ("too many", counts.too_many_instances),
    ];
    for (what, parts) in
        [("rejects", list(&rejects)), ("ignored", list(&ignored)), ("no instance", list(&without))]
    {
        if !parts.is_empty() {
            writeln!(out, "{}: {what}: {parts}", file.file)?;
        }
    }
    file.samples.iter().try_for_each(|sample| writeln!(out, "  {sample}"))?;
    file.error.iter().try_for_each(|error| writeln!(out, "{}: error: {error}", file.file))
}

fn write_totals(total: &Totals, out: &mut dyn Write) -> io::Result<()> {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    writeln!(out)?;
    writeln!(out, "instances      {}", total.instances)?;
    writeln!(out, "visits         {} ({} found the instance asleep)", total.visits, total.visits_asked)?;
    writeln!(out, "wake requests  {}", total.counts.sightings.wake_request)?;
    writeln!(out, "first          {}", time(total.first_at))?;
    writeln!(out, "last           {}", time(total.last_at))?;
    if total.top.is_empty() && total.counts.no_instance > 0 {
        let hint = "no line names an instance: say where it stands with --instance-from (vhost, client, \
                    path-segment:N, query-key:NAME, regex:PATTERN) or `logs.extract` in a configuration";
        writeln!(out, "\n{hint}")?;
    }
    if total.top.is_empty() {
        return Ok(());
    }
    let mut top =
        table(&["instance", "visits", "asleep", "active days", "active quarter hours", "last departure"]);
    for one in &total.top {
        top.add_row(vec![
            Cell::new(&one.instance),
            Cell::new(one.visits),
            Cell::new(one.visits_asked),
            Cell::new(one.active_days),
            Cell::new(one.active_quarters),
            Cell::new(time(one.last_departed_at)),
        ]);
    }
    writeln!(out, "\nBusiest instances\n{}", top.trim_fmt())
}
