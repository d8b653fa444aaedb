//! One instance's week in a terminal.

use anstyle::{Ansi256Color, AnsiColor, Color, Style};

use super::{
    Terminal, Week,
    grid::Grid,
    week::{Kept, QUARTERS_PER_DAY, day_name, kept, title},
    words::{left_out_note, percent},
};

/// Columns for the name of a day.
const MARGIN: usize = 10;

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BLOCKS_PLAIN: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];
/// From light to strong in the colours of 256, readable on white and on black.
const BLUES: [u8; 9] = [75, 75, 75, 69, 69, 33, 33, 27, 27];

/// The same as [`super::week()`] in characters: a row per day, the fuller the likelier, and below it its planned wakes
/// and past arrivals. A narrow terminal gets the highest of two or four quarter hours in a column. Ends with a line
/// break.
pub fn week_text(input: &Week, terminal: Terminal) -> String {
    let (kept, left_out) = kept(input);
    let mut lines = vec![title(input)];
    if let Some(kept) = kept {
        let room = terminal.width() - MARGIN;
        let quarters = [1, 2].into_iter().find(|quarters| QUARTERS_PER_DAY / quarters <= room).unwrap_or(4);
        lines.extend(days(input, &kept, quarters, terminal));
        lines.extend(legend(&kept, quarters, terminal));
    } else {
        lines.push("no data".to_owned());
    }
    lines.extend([left_out_note(left_out)].into_iter().filter(|note| !note.is_empty()));
    lines.join("\n") + "\n"
}

fn days(input: &Week, kept: &Kept, quarters: usize, terminal: Terminal) -> Vec<String> {
    let columns = QUARTERS_PER_DAY / quarters;
    let mut hours = Grid::new(MARGIN + columns, 1, terminal);
    for hour in (0..24).step_by(3) {
        hours.write(MARGIN + hour * 4 / quarters, 0, &hour.to_string());
    }
    let mut lines = hours.lines();
    for day in 0..7 {
        let mut grid = Grid::new(MARGIN + columns, 2, terminal);
        grid.write(0, 0, &day_name(input, day));
        let row = &kept.probability[day * QUARTERS_PER_DAY..][..QUARTERS_PER_DAY];
        for (column, group) in row.chunks(quarters).enumerate() {
            let (character, style) = cell(group, kept.highest, terminal);
            grid.put(MARGIN + column, 0, character, style);
        }
        let on = |marks: &[(usize, usize)]| -> Vec<usize> {
            marks.iter().filter(|(at, _)| *at == day).map(|(_, quarter)| quarter / quarters).collect()
        };
        let (wakes, arrivals) = (on(&kept.wakes), on(&kept.arrivals));
        for column in 0..columns {
            let mark = mark(wakes.contains(&column), arrivals.contains(&column), terminal);
            if let Some((character, style)) = mark {
                grid.put(MARGIN + column, 1, character, style);
            }
        }
        let marked = !wakes.is_empty() || !arrivals.is_empty();
        lines.extend(grid.lines().into_iter().take(if marked { 2 } else { 1 }));
    }
    lines
}

/// Less than a sixteenth of the highest shows nothing, so that the likely hours stand out.
fn cell(group: &[Option<f64>], highest: f64, terminal: Terminal) -> (char, Style) {
    let Some(probability) = group.iter().flatten().copied().reduce(f64::max) else {
        return ('?', Style::new());
    };
    let level = (probability / highest * 8.0).round().clamp(0.0, 8.0) as usize;
    let style = Style::new().fg_color(Some(Color::Ansi256(Ansi256Color(BLUES[level]))));
    let style = if level == 0 { Style::new() } else { style };
    (terminal.pick(BLOCKS, BLOCKS_PLAIN)[level], style)
}

fn mark(wake: bool, arrival: bool, terminal: Terminal) -> Option<(char, Style)> {
    let (red, plain) = (AnsiColor::Red.on_default().bold(), Style::new());
    match (wake, arrival) {
        (true, true) => Some((terminal.pick('◆', '&'), red)),
        (true, false) => Some((terminal.pick('▲', '^'), red)),
        (false, true) => Some((terminal.pick('•', 'o'), plain)),
        (false, false) => None,
    }
}

fn legend(kept: &Kept, quarters: usize, terminal: Terminal) -> Vec<String> {
    let minutes = quarters * 15;
    let of = if quarters == 1 { "" } else { ", of which the highest quarter hour is shown" };
    let sign = |wake: bool, arrival: bool| {
        let (character, style) = mark(wake, arrival, terminal).unwrap_or((' ', Style::new()));
        if terminal.styled { format!("{style}{character}{style:#}") } else { character.to_string() }
    };
    let missing = if kept.probability.contains(&None) { "  ? no forecast" } else { "" };
    vec![
        format!(
            "{} {} probability of an arrival in a quarter hour{missing}",
            terminal.pick('█', '@'),
            percent(kept.highest)
        ),
        format!("columns of {minutes} min{of}; local hours"),
        format!(
            "{} planned wake  {} past arrival  {} both",
            sign(true, false),
            sign(false, true),
            sign(true, true)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::week::tests::example, *};

    #[test]
    fn plain_and_styled() {
        insta::assert_snapshot!(week_text(&example(), Terminal { columns: 80, styled: false }));
        let styled = week_text(&example(), Terminal { columns: 120, styled: true });
        assert!(styled.contains("█") && styled.contains("▲") && styled.contains("\u{1b}["), "{styled}");
        assert!(styled.contains("columns of 15 min"), "{styled}");
        insta::assert_snapshot!("styled_week", styled.replace('\u{1b}', "ESC"));
    }

    /// By sixteenths of the highest: below one nothing is shown, from fifteen on everything.
    #[test]
    fn the_fuller_the_likelier() {
        let (plain, styled) =
            (Terminal { columns: 80, styled: false }, Terminal { columns: 80, styled: true });
        let level = |sixteenths: f64| cell(&[Some(0.0), None, Some(sixteenths / 40.0)], 0.4, plain).0;
        assert_eq!(
            [0.0, 0.9, 1.1, 2.9, 3.1, 8.0, 14.9, 15.1, 16.0].map(level),
            [' ', ' ', '.', '.', ':', '=', '#', '@', '@']
        );
        let colour = |index: u8| Style::new().fg_color(Some(Color::Ansi256(Ansi256Color(index))));
        assert_eq!(cell(&[Some(0.4)], 0.4, styled), ('█', colour(27)));
        assert_eq!(cell(&[Some(0.05)], 0.4, styled), ('▁', colour(75)));
        assert_eq!(cell(&[Some(0.0)], 0.4, styled), (' ', Style::new()));
        assert_eq!(cell(&[None, None], 0.4, styled), ('?', Style::new()));
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        for (columns, minutes) in [(40u16, 60), (57, 60), (58, 30), (105, 30), (106, 15), (300, 15)] {
            let text = week_text(&example(), Terminal { columns, styled: false });
            assert!(text.contains(&format!("columns of {minutes} min")), "{columns}: {text}");
            let days = text.lines().skip(1).take_while(|line| !line.starts_with('@'));
            assert!(days.into_iter().all(|line| line.chars().count() <= usize::from(columns)), "{text}");
            assert!(text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut input = example();
        input.arrival_probability.truncate(QUARTERS_PER_DAY);
        input.arrival_probability[0] = f64::NAN;
        let text = week_text(&input, Terminal { columns: 120, styled: false });
        assert!(
            text.contains("????")
                && text.contains("? no forecast")
                && text.contains("1 value cannot be drawn"),
            "{text}"
        );
        let nothing = week_text(&Week::default(), Terminal { columns: 80, styled: true });
        assert!(nothing.ends_with("no data\n"), "{nothing}");
    }
}
