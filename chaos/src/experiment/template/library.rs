//! The templates this program comes with.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use crate::experiment::file::{Document, Experiment, Invalid, read_text};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A template as it stands in the repository, below `chaos/templates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// `endpoint/slow_wake.yaml`.
    pub file: &'static str,
    pub text: &'static str,
}

impl Template {
    /// `endpoint.slow_wake`.
    pub fn name(&self) -> String {
        self.file.trim_end_matches(".yaml").replace('/', ".")
    }

    pub fn document(&self) -> Result<Document, Invalid> {
        Ok(Document::parse(self.file, self.text)?)
    }

    /// With the defaults of its inputs.
    pub fn read(&self) -> Result<Experiment, Invalid> {
        read_text(self.file, self.text)
    }
}

/// Layer by layer, in the order of their names.
pub fn library() -> &'static [Template] {
    static LIBRARY: LazyLock<Vec<Template>> = LazyLock::new(|| {
        let layers = FILES.dirs().flat_map(Dir::files);
        let template = |file: &'static include_dir::File<'static>| {
            let path = file.path().to_str()?;
            file.path().extension().is_some_and(|extension| extension == "yaml").then_some(())?;
            Some(Template { file: path, text: file.contents_utf8()? })
        };
        let mut all: Vec<Template> = layers.filter_map(template).collect();
        all.sort_by_key(|template| template.file);
        all
    });
    &LIBRARY
}

/// The template with this name (`endpoint.slow_wake`) or id (`EP-03`).
pub fn find(reference: &str) -> Option<Template> {
    static IDS: LazyLock<Vec<Option<String>>> = LazyLock::new(|| library().iter().map(id).collect());
    let named = library().iter().find(|template| template.name() == reference);
    let with_id = || {
        let place = IDS.iter().position(|id| id.as_deref() == Some(reference))?;
        library().get(place)
    };
    named.or_else(with_id).copied()
}

/// Without a look at the rest of the file.
fn id(template: &Template) -> Option<String> {
    let extensions = template.document().ok()?.value.get("extensions")?.as_array()?.clone();
    extensions.iter().find_map(|one| one.get("id")?.as_str().map(str::to_owned))
}
