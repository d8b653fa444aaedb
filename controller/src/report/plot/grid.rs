//! A grid of characters, for plots in a terminal.

use std::fmt::Write;

use anstyle::Style;

/// Columns below which no plot can be read.
const COLUMNS_MIN: usize = 40;
const COLUMNS_MAX: usize = 160;

/// Where a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Its width; fewer than 40 are taken for 40.
    pub columns: u16,
    /// Whether Unicode blocks and colours are wanted. Otherwise (no terminal, `NO_COLOR`) the text is plain ASCII but
    /// for the names in it.
    pub styled: bool,
}

impl Terminal {
    /// Columns a plot may take.
    pub(super) fn width(self) -> usize {
        usize::from(self.columns).clamp(COLUMNS_MIN, COLUMNS_MAX)
    }

    pub(super) fn pick<T>(self, styled: T, plain: T) -> T {
        if self.styled { styled } else { plain }
    }
}

/// Characters with their styles, by row and column; what lies outside is not drawn.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    rows: Vec<Vec<(char, Style)>>,
    styled: bool,
}

impl Grid {
    pub(super) fn new(columns: usize, rows: usize, terminal: Terminal) -> Self {
        Self { rows: vec![vec![(' ', Style::new()); columns]; rows], styled: terminal.styled }
    }

    pub(super) fn put(&mut self, column: usize, row: usize, character: char, style: Style) {
        if let Some(cell) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) {
            *cell = (character, style);
        }
    }

    pub(super) fn write(&mut self, column: usize, row: usize, text: &str) {
        for (offset, character) in text.chars().enumerate() {
            self.put(column + offset, row, character, Style::new());
        }
    }

    /// The rows as lines without blanks at their ends; a change of style is written once.
    pub(super) fn lines(&self) -> Vec<String> {
        self.rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[(char, Style)]) -> String {
        let end = row.iter().rposition(|(character, _)| *character != ' ').map_or(0, |last| last + 1);
        let mut text = String::new();
        for run in row[..end].chunk_by(|a, b| a.1 == b.1) {
            let style = run[0].1;
            let characters: String = run.iter().map(|(character, _)| character).collect();
            if self.styled {
                let _ = write!(text, "{style}{characters}{style:#}");
            } else {
                text.push_str(&characters);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    #[test]
    fn styles_are_written_once_and_only_when_wanted() {
        let lines = |styled: bool| {
            let mut grid = Grid::new(6, 2, Terminal { columns: 6, styled });
            grid.write(0, 0, "ab");
            grid.put(2, 0, 'x', AnsiColor::Red.on_default());
            grid.put(3, 0, 'y', AnsiColor::Red.on_default());
            grid.put(9, 9, 'z', Style::new());
            grid.lines()
        };
        assert_eq!(lines(false), ["abxy", ""]);
        assert_eq!(lines(true), ["ab\u{1b}[31mxy\u{1b}[0m", ""]);
    }

    #[test]
    fn text_stands_where_it_is_put_and_no_line_ends_in_blanks() {
        let mut grid = Grid::new(6, 3, Terminal { columns: 6, styled: false });
        grid.write(2, 0, "abcdef");
        grid.put(4, 1, 'x', Style::new());
        grid.write(0, 2, "y  ");
        assert_eq!(grid.lines(), ["  abcd", "    x", "y"]);
    }

    #[test]
    fn a_width_that_can_be_read() {
        let width = |columns: u16| Terminal { columns, styled: false }.width();
        assert_eq!([0, 40, 100, 999].map(width), [40, 40, 100, 160]);
    }
}
