//! What each group of features is worth: the change of recall when it is left out.

use std::fmt::Write;

use plotters::{
    prelude::Rectangle,
    style::{Color, WHITE},
};

use super::{
    axes::{Axis, Frame, axes, drawable, round_up},
    drawing::{Area, BOTTOM_PX, Caption, Drawing, Drawn, PlotError, Style, TOP_PX, write},
    legend::{Entry, LEFT_PX, Stroke, legend},
    marks::{Shape, line},
    palette::{GREY, STEPS},
    words::{fitted, number},
};

/// The budgets at which recall is compared: idle hours per instance and day.
pub const ABLATION_IDLE_HOURS: [u32; 3] = [1, 2, 4];

/// One group of features.
#[derive(Debug, Clone, PartialEq)]
pub struct AblationRow {
    /// The group that was left out.
    pub left_out: String,
    /// Recall without it minus recall with it, in percentage points, at [`ABLATION_IDLE_HOURS`]; not finite when it
    /// was not measured.
    pub recall_change_points: [f64; 3],
}

/// What [`ablation()`] shows, from top to bottom.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ablation {
    pub rows: Vec<AblationRow>,
}

const ROWS_MAX: usize = 20;
/// More rows leave no height for figures beside the bars.
const ROWS_WITH_FIGURES_MAX: usize = 10;

/// Draws three bars per group. Of more than twenty groups those with the largest changes are shown.
pub fn ablation(input: &Ablation) -> Result<Drawing, PlotError> {
    let changes = || input.rows.iter().flat_map(|row| row.recall_change_points);
    let left_out = changes().filter(|change| !drawable(*change)).count();
    let rows = shown(&input.rows);
    let largest = |row: &AblationRow| row.recall_change_points.iter().any(|change| drawable(*change));
    let mut caption = Caption {
        title: "Change of recall when a group of features is left out".to_owned(),
        description: description(&rows),
        left_out,
        ..Caption::default()
    };
    if !rows.iter().any(|row| largest(row)) {
        return caption.draw_nothing();
    }
    if rows.len() < input.rows.len() {
        caption.note = format!("{} groups with smaller changes are not shown", input.rows.len() - rows.len());
    }
    let end = |sign: f64| changes().filter(|c| drawable(*c)).map(|c| c * sign).fold(0.0, f64::max);
    // Beyond the longest bar there is room for its figure.
    let (low, high) = (end(-1.0), end(1.0));
    let room = low.max(high).max(0.1) * 0.16;
    let pad = |reach: f64| if reach > 0.0 { reach + room } else { room * 0.3 };
    let ends = -pad(low)..pad(high);
    let (ends, step) = (ends.clone(), round_up((ends.end - ends.start) / 10.0));
    let decimals = usize::from(step < 1.0) + usize::from(step < 0.1);
    caption.draw(|area| {
        let frame = Frame { x: (186, LEFT_PX - 8), y: (TOP_PX, BOTTOM_PX) };
        let label = |points: &f64| signed(*points, decimals);
        let x_axis = Axis { name: "change of recall, percentage points", labels: 9, label: &label };
        let y_axis = Axis { name: "", labels: 0, label: &|_| String::new() };
        let plane = axes(area, frame, (ends, &x_axis), (0.0..rows.len() as f64, &y_axis))?;
        let top = f64::from(plane.pixels.1.start);
        let height = f64::from(plane.pixels.1.end - plane.pixels.1.start) / rows.len() as f64;
        for (index, row) in rows.iter().enumerate() {
            let middle = top + height * (index as f64 + 0.5);
            let style = Style::new(13.0).right();
            write(
                area,
                &fitted(&row.left_out, 13.0, 182.0),
                (plane.pixels.0.start - 8, middle as i32),
                style,
            )?;
            bars(area, row, (middle, height), rows.len() <= ROWS_WITH_FIGURES_MAX, |change| {
                plane.at(change, 0.0).0
            })?;
        }
        let zero = plane.at(0.0, 0.0).0;
        line(area, &[(zero, plane.pixels.1.start), (zero, plane.pixels.1.end)], GREY.stroke_width(1))?;
        legend(area, TOP_PX, &entries())
    })
}

/// The bars of one row around `middle`, of `height` pixels with the gap to the next row.
fn bars(
    area: &Area<'_>,
    row: &AblationRow,
    (middle, height): (f64, f64),
    figures: bool,
    x_of: impl Fn(f64) -> i32,
) -> Drawn {
    let bar = (height * 0.26).min(22.0);
    for ((place, change), colour) in (-1..=1).zip(row.recall_change_points).zip(STEPS) {
        if !drawable(change) {
            continue;
        }
        let centre = middle + f64::from(place) * bar;
        let (zero, end) = (x_of(0.0), x_of(change));
        let corners = [
            (zero.min(end), (centre - bar / 2.0).round() as i32),
            (zero.max(end), (centre + bar / 2.0).round() as i32),
        ];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        area.draw(&Rectangle::new(corners, WHITE.stroke_width(1)))?;
        if figures {
            let style = Style::new(11.0).colour(GREY);
            let (x, style) = if change < 0.0 { (end - 4, style.right()) } else { (end + 4, style.left()) };
            write(area, &signed(change, 1), (x, centre as i32), style)?;
        }
    }
    Ok(())
}

/// With its sign, as print has it, unless it is shown as zero.
fn signed(points: f64, decimals: usize) -> String {
    let text = format!("{points:+.decimals$}");
    let zero = text.chars().all(|c| matches!(c, '+' | '-' | '0' | '.'));
    if zero { text[1..].to_owned() } else { text.replace('-', "−") }
}

/// The rows, or those with the largest changes in the order of the input.
fn shown(rows: &[AblationRow]) -> Vec<&AblationRow> {
    let reach = |row: &AblationRow| {
        row.recall_change_points.iter().filter(|c| drawable(**c)).fold(0.0f64, |max, c| max.max(c.abs()))
    };
    let mut indices: Vec<_> = (0..rows.len()).collect();
    indices.sort_by(|a, b| reach(&rows[*b]).total_cmp(&reach(&rows[*a])).then(a.cmp(b)));
    indices.truncate(ROWS_MAX);
    indices.sort_unstable();
    indices.into_iter().map(|index| &rows[index]).collect()
}

fn entries() -> Vec<Entry> {
    let entry = |(hours, colour): (u32, _)| Entry {
        name: format!("at {hours} idle h/day"),
        colour,
        shape: Some(Shape::Square),
        stroke: Stroke::None,
    };
    ABLATION_IDLE_HOURS.into_iter().zip(STEPS).map(entry).collect()
}

fn description(rows: &[&AblationRow]) -> String {
    let [a, b, c] = ABLATION_IDLE_HOURS;
    let mut text = format!(
        "Change of recall in percentage points at {a}, {b} and {c} idle hours per instance and day, by the group of \
         features that is left out; below zero the group helps."
    );
    for row in rows {
        let shown = |change: f64| if drawable(change) { number(change) } else { "unknown".to_owned() };
        let changes: Vec<_> = row.recall_change_points.into_iter().map(shown).collect();
        let _ = write!(text, " {}: {}.", row.left_out, changes.join(", "));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{
        super::drawing::tests::{everything, structure},
        *,
    };

    pub(in super::super) fn example() -> Ablation {
        let row = |left_out: &str, recall_change_points| AblationRow {
            left_out: left_out.to_owned(),
            recall_change_points,
        };
        Ablation {
            rows: vec![
                row("hour of the day", [-21.4, -18.9, -12.2]),
                row("recency of visits", [-6.3, -5.1, -3.4]),
                row("day of the week", [-4.2, -3.8, -2.0]),
                row("holidays of the country", [-0.6, -0.4, f64::NAN]),
                row("team mates who are present today", [-1.1, -0.9, -0.2]),
                row("length of the last visit", [0.2, 0.1, 0.0]),
            ],
        }
    }

    #[test]
    fn three_bars_per_group() {
        let drawing = ablation(&example()).expect("a plot");
        assert_eq!(drawing.left_out(), 1);
        insta::assert_snapshot!(structure(&drawing));
    }

    #[test]
    fn everything_of_the_bars_has_its_place() {
        insta::assert_snapshot!(everything(&ablation(&example()).expect("a plot")));
    }

    #[test]
    fn of_many_groups_the_largest_are_shown() {
        let row = |i: u32| AblationRow {
            left_out: format!("group {i}"),
            recall_change_points: [f64::from(i), 0.0, -1.0],
        };
        let drawing = ablation(&Ablation { rows: (0..30).map(row).collect() }).expect("a plot");
        assert!(drawing.svg().contains("10 groups with smaller changes are not shown"));
        assert!(drawing.svg().contains("group 29") && !drawing.svg().contains("group 3."));
    }

    /// Only changes above zero, small ones, of so many groups that there is no room for figures.
    #[test]
    fn many_small_changes_have_fine_labels_and_no_figures() {
        let row = |i: u32| AblationRow {
            left_out: format!("group {i}"),
            recall_change_points: [0.01 * f64::from(i), 0.05, 0.0],
        };
        let input = |rows: u32| Ablation { rows: (0..rows).map(row).collect() };
        let many = structure(&ablation(&input(11)).expect("a plot"));
        assert!(!many.contains("+0.1\n") && many.contains("+0.04\n"), "{many}");
        let drawing = ablation(&input(10)).expect("a plot");
        assert_eq!(structure(&drawing).matches("+0.1\n").count(), 15, "{}", structure(&drawing));
        insta::assert_snapshot!(everything(&ablation(&input(3)).expect("a plot")));
    }

    #[test]
    fn the_largest_changes_are_shown_in_their_order_the_first_of_equals() {
        let changes = (0..25).map(|i| if i < 22 { 1.0 } else { -2.0 });
        let row = |(i, change)| AblationRow {
            left_out: format!("{i}"),
            recall_change_points: [0.0, f64::NAN, change],
        };
        let rows: Vec<AblationRow> = changes.enumerate().map(row).collect();
        let names: Vec<_> = shown(&rows).iter().map(|row| row.left_out.clone()).collect();
        let expected: Vec<_> = (0..17).chain(22..25).map(|i| i.to_string()).collect();
        assert_eq!(names, expected);
        assert_eq!(shown(&rows[..20]).len(), 20);
    }

    #[test]
    fn nothing_gives_no_data() {
        assert!(ablation(&Ablation::default()).expect("a plot").svg().contains("no data"));
        let bad = AblationRow { left_out: "x".to_owned(), recall_change_points: [f64::INFINITY; 3] };
        let drawing = ablation(&Ablation { rows: vec![bad] }).expect("a plot");
        assert!(drawing.svg().contains("no data"));
        assert_eq!(drawing.left_out(), 3);
    }

    #[test]
    fn figures_have_their_sign() {
        let all =
            [(-1.25, 1), (0.3, 1), (-0.01, 1), (0.0, 0)].map(|(points, decimals)| signed(points, decimals));
        assert_eq!(all, ["−1.2", "+0.3", "0.0", "0"]);
    }

    proptest! {
        #[test]
        fn any_changes_give_a_plot(rows in prop::collection::vec(any::<[f64; 3]>(), 0..30)) {
            let row = |recall_change_points| AblationRow { left_out: "x".to_owned(), recall_change_points };
            structure(&ablation(&Ablation { rows: rows.into_iter().map(row).collect() }).expect("a plot"));
        }
    }

    #[test]
    fn no_change_at_all_is_a_plot_too() {
        let row = AblationRow { left_out: "x".to_owned(), recall_change_points: [0.0; 3] };
        structure(&ablation(&Ablation { rows: vec![row] }).expect("a plot"));
    }
}
