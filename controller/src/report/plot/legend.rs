//! The legend stands beside the plot, where it hides nothing.

use plotters::style::{Color, RGBColor};

use super::{
    drawing::{Area, Drawn, Style, write},
    marks::{Shape, dashed, line, mark},
    palette::GREY,
    words::fitted,
};

/// From here to the right edge it has its place.
pub(super) const LEFT_PX: i32 = 700;

const ROW_PX: i32 = 21;
const ROWS_MAX: usize = 21;
/// For a name, right of its marker.
const ROOM_PX: f64 = 154.0;

/// One line of a legend.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) colour: RGBColor,
    pub(super) shape: Option<Shape>,
    /// The line through the marker.
    pub(super) stroke: Stroke,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    None,
    Solid,
    Dashed,
    Upright,
}

/// Draws the entries one below the other from `top_px` on; those without room are counted in the last line.
pub(super) fn legend(area: &Area<'_>, top_px: i32, entries: &[Entry]) -> Drawn {
    let shown = if entries.len() > ROWS_MAX { ROWS_MAX - 1 } else { entries.len() };
    for (row, entry) in entries[..shown].iter().enumerate() {
        let y = top_px + 10 + row as i32 * ROW_PX;
        let x = LEFT_PX + 18;
        let across = [(x - 14, y), (x + 14, y)];
        match entry.stroke {
            Stroke::None => {}
            Stroke::Solid => line(area, &across, entry.colour.stroke_width(2))?,
            Stroke::Dashed => dashed(area, &across, entry.colour.stroke_width(1))?,
            Stroke::Upright => line(area, &[(x, y - 8), (x, y + 8)], entry.colour.stroke_width(1))?,
        }
        if let Some(shape) = entry.shape {
            mark(area, shape, (x, y), 5, entry.colour)?;
        }
        write(area, &fitted(&entry.name, 13.0, ROOM_PX), (x + 22, y), Style::new(13.0).left())?;
    }
    if shown == entries.len() {
        return Ok(());
    }
    let y = top_px + 10 + shown as i32 * ROW_PX;
    let more = format!("and {} more", entries.len() - shown);
    write(area, &more, (LEFT_PX + 40, y), Style::new(13.0).left().colour(GREY))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            drawing::{Caption, tests::everything},
            palette,
        },
        *,
    };

    fn drawn(entries: usize) -> String {
        let entry = |i: usize| Entry {
            name: format!("series with a long name, number {i}"),
            colour: palette::series(i),
            shape: Some(super::super::marks::series(i)),
            stroke: Stroke::Solid,
        };
        let entries: Vec<_> = (0..entries).map(entry).collect();
        let drawing = Caption::default().draw(|area| legend(area, 60, &entries)).expect("a plot");
        drawing.svg().to_owned()
    }

    #[test]
    fn every_line_has_its_place() {
        let entry = |name: &str, shape, stroke| Entry {
            name: name.to_owned(),
            colour: palette::ACCENT,
            shape,
            stroke,
        };
        let entries = [
            entry("nothing", None, Stroke::None),
            entry("a line", Some(Shape::Ring), Stroke::Solid),
            entry("dashes", None, Stroke::Dashed),
            entry("upright", None, Stroke::Upright),
        ];
        let drawing = Caption::default().draw(|area| legend(area, 60, &entries)).expect("a plot");
        insta::assert_snapshot!(everything(&drawing));
    }

    /// Rows are 21 pixels high: the last of 20 is at 60 + 10 + 19 * 21, the words below it at 60 + 10 + 20 * 21.
    #[test]
    fn a_full_legend_ends_in_a_count() {
        let svg = drawn(ROWS_MAX + 1);
        let place = |words: &str| {
            svg[..svg.find(words).expect("is there")].rfind("<text").map(|at| &svg[at..at + 21])
        };
        assert_eq!(svg.matches("series with").count(), 20);
        assert_eq!(place("and 2 more"), Some("<text x=\"740\" y=\"490\""));
        let last = svg.rfind("series with").expect("is there");
        assert_eq!(svg[..last].rfind("<text").map(|at| &svg[at..at + 21]), Some("<text x=\"740\" y=\"469\""));
        assert_eq!(drawn(ROWS_MAX).matches("series with").count(), 21);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        assert!(!drawn(ROWS_MAX).contains("more"));
        assert!(drawn(ROWS_MAX + 9).contains("and 10 more"));
        assert!(drawn(1).contains("series with a lo") && drawn(1).contains('…'));
    }
}
