//! One sheet of a plot: white, with title and notes, and with words for those who hear it instead.

use plotters::{
    coord::Shift,
    drawing::DrawingAreaErrorKind,
    prelude::{DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend, Text},
    style::{
        Color, FontDesc, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Format,
    palette::{GREY, INK},
    png::png,
    words::{fitted, left_out_note, legible},
};

/// Width of every plot.
pub const WIDTH_PX: u32 = 900;
/// Height of every plot.
pub const HEIGHT_PX: u32 = 560;

/// Where the title ends.
pub(super) const TOP_PX: i32 = 52;
/// Where the notes begin.
pub(super) const BOTTOM_PX: i32 = 532;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Text as a target never fails, but the library says it could.
pub(super) type Failure = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;
pub(super) type Drawn = Result<(), Failure>;

/// Why there is no plot. Neither is known to happen with what the plots here draw.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("failed to draw a plot")]
    Draw(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("failed to turn a plot into PNG")]
    Png(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A plot, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    svg: String,
    left_out: usize,
}

impl Drawing {
    /// The text of an SVG file of 900 x 560 pixels.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// How many numbers of the input could not be drawn.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The bytes of a file in this format.
    pub fn encode(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        match format {
            Format::Svg => Ok(self.svg.clone().into_bytes()),
            Format::Png => png(&self.svg).map_err(PlotError::Png),
        }
    }
}

/// What is said around a plot.
#[derive(Debug, Clone, Default)]
pub(super) struct Caption {
    pub(super) title: String,
    /// What a screen reader says: what is plotted against what, and the figures that matter.
    pub(super) description: String,
    /// What to mind, below the plot.
    pub(super) note: String,
    pub(super) left_out: usize,
}

impl Caption {
    /// Draws title, notes, and what `draw` adds in absolute pixels.
    pub(super) fn draw(&self, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<Drawing, PlotError> {
        let mut svg = String::new();
        let whole = |svg: &mut String| -> Drawn {
            let area = SVGBackend::with_string(svg, (WIDTH_PX, HEIGHT_PX)).into_drawing_area();
            area.fill(&WHITE)?;
            write(&area, &fitted(&self.title, 19.0, 860.0), (24, 16), Style::new(19.0).left().top())?;
            let notes = [self.note.clone(), left_out_note(self.left_out)];
            let notes = notes.iter().filter(|note| !note.is_empty()).cloned().collect::<Vec<_>>().join(" · ");
            if !notes.is_empty() {
                let style = Style::new(12.0).left().top().colour(GREY);
                write(&area, &fitted(&notes, 12.0, 860.0), (24, BOTTOM_PX + 6), style)?;
            }
            draw(&area)?;
            area.present()
        };
        whole(&mut svg).map_err(|failure| PlotError::Draw(Box::new(failure)))?;
        Ok(Drawing { svg: self.spoken(&svg), left_out: self.left_out })
    }

    /// The sheet of a plot that has nothing to show.
    pub(super) fn draw_nothing(&self) -> Result<Drawing, PlotError> {
        let alone = Self { note: String::new(), ..self.clone() };
        alone.draw(|area| {
            let centre = (WIDTH_PX as i32 / 2, HEIGHT_PX as i32 / 2);
            write(area, "no data", centre, Style::new(22.0).colour(GREY))
        })
    }

    /// Adds the title and the description that screen readers look for.
    fn spoken(&self, svg: &str) -> String {
        let description = format!("{} {}", self.description, left_out_note(self.left_out));
        let words = format!(
            "<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n",
            escaped(&self.title),
            escaped(description.trim())
        );
        match svg.split_once(">\n") {
            Some((root, rest)) => {
                format!("{root} role=\"img\" aria-labelledby=\"title desc\">\n{words}{rest}")
            }
            None => svg.to_owned(),
        }
    }
}

fn escaped(text: &str) -> String {
    legible(text, usize::MAX).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How a text looks and which of its points is meant by its place. Centred in both directions unless told otherwise.
#[derive(Clone, Copy)]
pub(super) struct Style {
    size_px: f64,
    colour: RGBColor,
    anchor: Pos,
}

impl Style {
    pub(super) fn new(size_px: f64) -> Self {
        Self { size_px, colour: INK, anchor: Pos::new(HPos::Center, VPos::Center) }
    }

    pub(super) fn colour(self, colour: RGBColor) -> Self {
        Self { colour, ..self }
    }

    pub(super) fn left(self) -> Self {
        Self { anchor: Pos::new(HPos::Left, self.anchor.v_pos), ..self }
    }

    pub(super) fn right(self) -> Self {
        Self { anchor: Pos::new(HPos::Right, self.anchor.v_pos), ..self }
    }

    pub(super) fn top(self) -> Self {
        Self { anchor: Pos::new(self.anchor.h_pos, VPos::Top), ..self }
    }

    pub(super) fn text(self) -> TextStyle<'static> {
        // The library divides a size by 1.24 before it writes it.
        let font = FontDesc::from(("sans-serif", self.size_px * 1.24));
        TextStyle { font, color: self.colour.to_backend_color(), pos: self.anchor }
    }
}

pub(super) fn write(area: &Area<'_>, text: &str, at: (i32, i32), style: Style) -> Drawn {
    area.draw(&Text::new(text.to_owned(), at, style.text()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeMap, fmt::Write};

    use super::*;

    /// What a plot consists of, without places: its texts in order, and how many of each element.
    pub(in super::super) fn structure(drawing: &Drawing) -> String {
        let svg = drawing.svg();
        for word in ["NaN", "inf"] {
            assert!(!svg.contains(word), "{word} in a plot: {svg}");
        }
        let document = resvg::usvg::roxmltree::Document::parse(svg).expect("well-formed XML");
        let mut counts = BTreeMap::new();
        let mut texts = Vec::new();
        for node in document.descendants().filter(resvg::usvg::roxmltree::Node::is_element) {
            *counts.entry(node.tag_name().name().to_owned()).or_insert(0) += 1;
            texts.extend(node.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned));
        }
        let counts: Vec<_> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
        format!("{}\n\n{}", texts.join("\n"), counts.join(", "))
    }

    /// All that is drawn, with looks and places in pixels, in the order in which it is drawn. What looks alike and
    /// follows each other shares the line that says how it looks.
    pub(in super::super) fn everything(drawing: &Drawing) -> String {
        const PLACES: [&str; 12] =
            ["x", "y", "width", "height", "cx", "cy", "r", "x1", "y1", "x2", "y2", "points"];
        let document = resvg::usvg::roxmltree::Document::parse(drawing.svg()).expect("well-formed XML");
        let mut text = String::new();
        let mut looks_before = String::new();
        for node in document.root_element().children().filter(resvg::usvg::roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            let (places, looks): (Vec<_>, Vec<_>) =
                node.attributes().partition(|attribute| PLACES.contains(&attribute.name()));
            let mut shown = name.to_owned();
            for look in looks {
                let _ = write!(shown, " {}={}", look.name(), look.value());
            }
            let places = places.iter().map(|place| place.value().trim()).collect::<Vec<_>>().join(" ");
            let words = node.text().map(str::trim).unwrap_or_default();
            if shown == looks_before && words.is_empty() {
                let length = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
                text.push_str(if length + places.len() < 110 { "; " } else { "\n  " });
                text.push_str(&places);
            } else if shown == looks_before {
                let _ = write!(text, "\n  {places} {words}");
            } else {
                let _ = write!(text, "\n{shown}\n  {places} {words}");
            }
            text.truncate(text.trim_end().len());
            looks_before = shown;
        }
        text
    }

    fn caption() -> Caption {
        Caption {
            title: "Ways <home> & back".to_owned(),
            description: "A way.".to_owned(),
            note: "mind the gap".to_owned(),
            left_out: 2,
        }
    }

    #[test]
    fn a_sheet_says_what_it_is() {
        let drawing = caption().draw_nothing().expect("a plot");
        let svg = drawing.svg();
        assert!(svg.starts_with("<svg width=\"900\" height=\"560\""), "{svg}");
        for expected in [
            "role=\"img\" aria-labelledby=\"title desc\"",
            "<title id=\"title\">Ways &lt;home&gt; &amp; back</title>",
            "<desc id=\"desc\">A way. 2 values cannot be drawn and are left out</desc>",
            "2 values cannot be drawn and are left out\n",
            "no data",
        ] {
            assert!(svg.contains(expected), "{expected}: {svg}");
        }
        assert_eq!(drawing.left_out(), 2);
        assert_eq!(drawing, caption().draw_nothing().expect("a plot"), "the same input, the same bytes");
        assert_eq!(drawing.encode(Format::Svg).expect("SVG"), svg.as_bytes());
        let png = drawing.encode(Format::Png).expect("PNG");
        assert_eq!(png[16..24], [0, 0, 3, 132, 0, 0, 2, 48], "900 x 560");
    }

    #[test]
    fn title_and_notes_have_their_place() {
        let way = |area: &Area<'_>| {
            write(area, "right", (300, 200), Style::new(10.0).right().top())?;
            write(area, "left", (300, 300), Style::new(10.0).left().colour(GREY))
        };
        insta::assert_snapshot!(everything(&caption().draw(way).expect("a plot")));
        let bare = Caption { note: String::new(), left_out: 0, ..caption() };
        insta::assert_snapshot!(everything(&bare.draw(|_| Ok(())).expect("a plot")));
        insta::assert_snapshot!(everything(&caption().draw_nothing().expect("a plot")));
    }

    #[test]
    fn no_name_breaks_the_file() {
        let title = "\u{0}\u{1b}]0;x\u{7}\u{ffff}\"'&<>]]>".to_owned();
        let drawing = Caption { title, ..caption() }.draw_nothing().expect("a plot");
        assert!(drawing.encode(Format::Png).is_ok(), "{}", drawing.svg());
    }
}
