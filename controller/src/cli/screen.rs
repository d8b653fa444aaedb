//! What a command prints: tables for people, the API's own JSON for programs.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use jiff::{Timestamp, tz::TimeZone};

use super::args::Output;
use crate::report::STYLE;

/// Columns of a table that is not shown on a terminal.
const WIDTH: u16 = 100;
/// Columns a table takes at least. On a narrower terminal its lines are broken by the terminal, which reads better
/// than cells of one letter per line.
const WIDTH_MIN: u16 = 80;

/// Where answers go.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    output: Output,
    zone: TimeZone,
}

impl Screen {
    pub(super) fn new(output: Output) -> Self {
        Self { output, zone: TimeZone::system() }
    }

    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Writes to standard output; colours are taken out where they are not wanted.
    pub(super) fn print(text: &str) -> std::io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Writes a line to standard error, for people. That nobody listens is no failure.
    pub(super) fn say(text: impl Display) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// In the zone of this machine, which is named.
    pub(super) fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// Without the year, for a column of a list of what is recent.
    pub(super) fn time_short(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%m-%d %H:%M:%S %Z").to_string()
    }

    pub(super) fn time_opt(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(dash, |at| self.time(at))
    }
}

/// An empty table with this header.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // The stream takes the colours out again where they are not wanted.
    table.enforce_styling();
    let terminal = std::io::stdout().is_terminal().then(|| table.width()).flatten();
    table.set_width(width(terminal));
    table.set_header(header.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    table
}

/// Columns of a table on a terminal of so many, or on none.
fn width(terminal: Option<u16>) -> u16 {
    terminal.map_or(WIDTH, |columns| columns.max(WIDTH_MIN))
}

pub(super) fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// A cell coloured by whether it is good news; `None` is neither.
pub(super) fn judged(text: &str, good: Option<bool>) -> Cell {
    match good {
        Some(true) => Cell::new(text).fg(Color::Green),
        Some(false) => Cell::new(text).fg(Color::Red),
        None => Cell::new(text),
    }
}

pub(super) fn dash() -> String {
    "-".to_owned()
}

pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(dash, str::to_owned)
}

/// The table, or in words that it is empty.
pub(super) fn rows_or(table: &Table, nothing: &str) -> String {
    if table.is_empty() { nothing.to_owned() } else { table.to_string() }
}

/// Says how the next page is had, when there is one.
pub(super) fn more(next_page_token: &str) -> String {
    if next_page_token.is_empty() {
        return String::new();
    }
    format!("\nThere is more: --page-token {next_page_token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_does_not_squeeze_a_table() {
        assert_eq!([None, Some(0), Some(50), Some(200)].map(width), [100, 80, 80, 200]);
    }
}
