//! SVG to PNG with an embedded font, so that a machine without fonts shows letters too.

use std::sync::Arc;

use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

/// Where it comes from stands beside it.
const FONT: &[u8] = include_bytes!("font/roboto.ttf");
const FONT_NAME: &str = "Roboto";

/// Why an SVG did not become pixels, as a chain of causes.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The SVG at its own size, in the file format PNG. Fonts of the machine are not looked at: the same SVG gives the same
/// pixels everywhere.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, Cause> {
    let mut fonts = Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family(FONT_NAME);
    let options =
        Options { fontdb: Arc::new(fonts), font_family: FONT_NAME.to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("the plot has no size")?;
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> String {
        format!(
            r#"<svg width="60" height="20" xmlns="http://www.w3.org/2000/svg"><text x="2" y="15" font-family="sans-serif" font-size="14">{text}</text></svg>"#
        )
    }

    #[test]
    fn letters_appear_without_any_font_installed() {
        let blank = png(&with("")).expect("valid SVG");
        assert!(blank.starts_with(b"\x89PNG\r\n"));
        for text in ["wake", "Zürich", "Σ ≥ 3", "Ж", "…"] {
            assert_ne!(png(&with(text)).expect("valid SVG"), blank, "{text}");
        }
        assert_ne!(png(&with("a")).expect("valid SVG"), png(&with("b")).expect("valid SVG"));
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(png("<svg").is_err());
        assert!(png("").is_err());
    }
}
