//! The frontier in a terminal.

use anstyle::{AnsiColor, Style};

use super::{
    Frontier, Terminal,
    frontier::{FrontierPoint, TITLE, X_NAME, ends, kept},
    grid::Grid,
    words::{left_out_note, legible, number, percent},
};

const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Blue,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
    AnsiColor::BrightBlack,
];
const MARKS: [char; 8] = ['●', '■', '▲', '◆', '▼', '○', '□', '△'];
const MARKS_PLAIN: [char; 8] = ['o', 'x', '+', '#', '%', '&', '=', '~'];

/// Columns for the labels of the upright axis.
const MARGIN: usize = 6;

/// The same as [`super::frontier()`] in characters: a line of points between the markers of a series, a legend below.
/// Ends with a line break.
pub fn frontier_text(input: &Frontier, terminal: Terminal) -> String {
    let (kept, left_out) = kept(input);
    let Some((x_max, y_max)) = ends(&kept) else {
        let note = [left_out_note(left_out)].into_iter().filter(|note| !note.is_empty());
        return [TITLE.to_owned(), "no data".to_owned()]
            .into_iter()
            .chain(note)
            .collect::<Vec<_>>()
            .join("\n")
            + "\n";
    };
    let columns = terminal.width().min(100) - MARGIN - 3;
    let rows = (columns / 4).clamp(10, 20);
    let mut grid = Grid::new(MARGIN + 3 + columns, rows + 2, terminal);
    frame(&mut grid, terminal, (columns, rows), (x_max, y_max));
    let place = |point: &FrontierPoint| {
        let x = point.idle_hours_per_instance_day / x_max * (columns - 1) as f64;
        let y = (1.0 - point.found_awake_share / y_max) * (rows - 1) as f64;
        (x, y)
    };
    let mut put = |(x, y): (f64, f64), character: char, style: Style| {
        grid.put(MARGIN + 2 + x.round() as usize, y.round() as usize, character, style);
    };
    let dot = terminal.pick('·', '.');
    for (index, series) in kept.series.iter().enumerate() {
        for pair in series.points.windows(2) {
            let (from, to) = (place(&pair[0]), place(&pair[1]));
            let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0) as usize;
            for step in 1..steps {
                let part = step as f64 / steps as f64;
                let at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
                put(at, dot, look(index, terminal).1);
            }
        }
    }
    let points_of_series = kept.series.iter().enumerate();
    for (index, point) in points_of_series.flat_map(|(i, series)| series.points.iter().map(move |p| (i, p))) {
        put(place(point), look(index, terminal).0, look(index, terminal).1);
    }
    for (index, named) in (kept.series.len()..).zip(&kept.points) {
        put(place(&named.point), look(index, terminal).0, look(index, terminal).1);
    }
    if let Some(current) = &kept.current {
        put(place(current), terminal.pick('★', '@'), AnsiColor::Red.on_default().bold());
    }
    let mut lines = vec![TITLE.to_owned()];
    lines.extend(grid.lines());
    lines.push(format!("{:MARGIN$}  {X_NAME}", ""));
    lines.extend(legend(&kept, terminal));
    lines.extend([left_out_note(left_out)].into_iter().filter(|note| !note.is_empty()));
    lines.join("\n") + "\n"
}

fn look(index: usize, terminal: Terminal) -> (char, Style) {
    let marks = terminal.pick(&MARKS, &MARKS_PLAIN);
    (marks[index % marks.len()], COLOURS[index % COLOURS.len()].on_default())
}

/// Axes with labels at round shares and some parts of the width.
fn frame(grid: &mut Grid, terminal: Terminal, (columns, rows): (usize, usize), (x_max, y_max): (f64, f64)) {
    let plain = Style::new();
    for row in 0..rows {
        grid.put(MARGIN + 1, row, terminal.pick('│', '|'), plain);
    }
    let step_percent = if y_max > 0.4 { 20 } else { 5 };
    for share_percent in (0..=(y_max * 100.0).round() as usize).step_by(step_percent) {
        let row = ((1.0 - share_percent as f64 / 100.0 / y_max) * (rows - 1) as f64).round() as usize;
        grid.put(MARGIN + 1, row, terminal.pick('┤', '+'), plain);
        grid.write(0, row, &format!("{:>MARGIN$}", format!("{share_percent} %")));
    }
    for column in 0..columns {
        grid.put(MARGIN + 2 + column, rows, terminal.pick('─', '-'), plain);
    }
    grid.put(MARGIN + 1, rows, terminal.pick('└', '+'), plain);
    // The parts with the shortest figures.
    let parts =
        [5, 4, 6].into_iter().min_by_key(|parts| number(x_max / f64::from(*parts)).len()).unwrap_or(5);
    for part in 0..=parts as usize {
        let column = MARGIN + 2 + (columns - 1) * part / parts as usize;
        let label = number(x_max * part as f64 / f64::from(parts));
        grid.put(column, rows, terminal.pick('┴', '+'), plain);
        // The last label ends where the plot does.
        let last = MARGIN + 2 + columns - label.chars().count();
        grid.write(column.min(last), rows + 1, &label);
    }
}

fn legend(kept: &Frontier, terminal: Terminal) -> Vec<String> {
    let line = |mark: char, style: Style, name: &str| {
        let name = legible(name, terminal.width() - 4);
        if terminal.styled { format!("{style}{mark}{style:#} {name}") } else { format!("{mark} {name}") }
    };
    let names = kept.series.iter().map(|series| &series.name);
    let names = names.chain(kept.points.iter().map(|named| &named.name));
    let mut lines: Vec<_> = names
        .enumerate()
        .map(|(index, name)| line(look(index, terminal).0, look(index, terminal).1, name))
        .collect();
    if let Some(current) = &kept.current {
        let hours = number(current.idle_hours_per_instance_day);
        let name = format!("current policy: {} at {hours} h", percent(current.found_awake_share));
        lines.push(line(terminal.pick('★', '@'), AnsiColor::Red.on_default().bold(), &name));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{
        super::frontier::{FrontierSeries, NamedPoint, tests::example},
        *,
    };

    #[test]
    fn plain_and_styled() {
        insta::assert_snapshot!(frontier_text(&example(), Terminal { columns: 80, styled: false }));
        let styled = frontier_text(&example(), Terminal { columns: 80, styled: true });
        assert!(styled.contains('★') && styled.contains("\u{1b}[34m"), "{styled}");
        insta::assert_snapshot!("styled", styled.replace('\u{1b}', "ESC"));
    }

    /// Up to 40 % shares are labelled by 5 %; a narrow terminal gets ten rows.
    #[test]
    fn little_and_narrow_plots_have_finer_labels() {
        let point =
            |(hours, share)| FrontierPoint { idle_hours_per_instance_day: hours, found_awake_share: share };
        let points = [(0.0, 0.0), (0.2, 0.2), (0.25, 0.36)].map(point).to_vec();
        let series = vec![FrontierSeries { name: "little".to_owned(), points }];
        let bad = NamedPoint { name: "bad".to_owned(), point: point((1.0, 2.0)) };
        let input = Frontier { series, points: vec![bad], current: None };
        insta::assert_snapshot!(frontier_text(&input, Terminal { columns: 40, styled: false }));
        let nothing =
            frontier_text(&Frontier { series: Vec::new(), ..input }, Terminal { columns: 80, styled: false });
        let note = "1 value cannot be drawn and is left out";
        assert_eq!(nothing, format!("{TITLE}\nno data\n{note}\n"));
    }

    #[test]
    fn looks_repeat_late() {
        let plain = Terminal { columns: 80, styled: false };
        let marks: String = (0..9).map(|index| look(index, plain).0).collect();
        assert_eq!(marks, "ox+#%&=~o");
        assert_eq!(look(6, plain).1, AnsiColor::Blue.on_default());
        assert_eq!(look(1, plain).1, AnsiColor::Yellow.on_default());
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in [0u16, 40, 61, 80, 200] {
            let text = frontier_text(&example(), Terminal { columns, styled: false });
            let widest = text.lines().map(|line| line.chars().count()).max().expect("lines");
            assert!(widest <= usize::from(columns.max(52)), "{columns}: {widest}\n{text}");
            assert!(text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn nothing_gives_no_data() {
        let text = frontier_text(&Frontier::default(), Terminal { columns: 80, styled: true });
        assert!(text.ends_with("no data\n"), "{text}");
    }
}
