//! The extension of a file says what is written into it.

use std::path::Path;

/// What a drawing can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text, sharp at any size; letters come from the fonts of whoever looks at it.
    Svg,
    /// Pixels, with letters of the embedded font.
    Png,
}

/// A file name that does not say how a plot is to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: the name of a plot must end in .svg or .png")]
pub struct UnknownFormat {
    pub path: String,
}

impl Format {
    /// By the extension of `path`, whatever its case; the file itself is not looked at.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(UnknownFormat { path: path.display().to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_extension() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/frontier.svg"), Ok(Format::Svg));
        assert_eq!(of("week.PNG"), Ok(Format::Png));
        for name in ["plot", "plot.pdf", "svg", ".svg", ""] {
            let error = of(name).expect_err("no such format");
            assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
        }
    }
}
