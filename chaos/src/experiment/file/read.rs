//! From a text to an experiment, or to everything that is wrong with it.

use std::{io, path::Path};

use thiserror::Error;

use super::{
    check,
    document::Document,
    extension::{Extension, NAME},
    found::Found,
    parts::Parts,
    problem::Invalid,
    schema,
    toolkit::{AnyExtension, Experiment},
};
use crate::experiment::template;

#[derive(Debug, Error)]
pub enum ReadError {
    #[error("failed to read {path}")]
    Unreadable { path: String, source: io::Error },
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Reads a file; a template is read with the defaults of its inputs.
pub fn read_file(path: &Path) -> Result<Experiment, ReadError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| ReadError::Unreadable { path: name.clone(), source })?;
    Ok(read_text(&name, &text)?)
}

/// Reads YAML or JSON; `name` is what its problems are told under.
pub fn read_text(name: &str, text: &str) -> Result<Experiment, Invalid> {
    let document = Document::parse(name, text)?;
    if template::is_template(&document.value) {
        return read_document(&template::expand_with_defaults(&document)?);
    }
    read_document(&document)
}

/// Reads a document whose inputs are already filled in.
pub fn read_document(document: &Document) -> Result<Experiment, Invalid> {
    let mut found = Found::new(document);
    schema::check(&document.value, &mut found);
    template::leftovers(document, &mut found);
    if let Some(parts) = Parts::of(&document.value, &mut found) {
        check::all(&parts, &mut found);
    }
    let experiment = whole(document, &mut found);
    found.finish()?;
    Ok(experiment.expect("without a problem the whole was read"))
}

/// The parts were looked at one by one; this is the same as one type.
fn whole(document: &Document, found: &mut Found<'_>) -> Option<Experiment> {
    let mut experiment: Experiment = found.typed("", &document.value)?;
    for (index, extension) in experiment.extensions.iter_mut().enumerate() {
        let AnyExtension::Other(fields) = extension else { continue };
        if fields.get("name").and_then(serde_json::Value::as_str) == Some(NAME) {
            let path = format!("/extensions/{index}");
            let ours: Extension = found.typed(&path, &serde_json::Value::Object(fields.clone()))?;
            *extension = AnyExtension::Reveille(Box::new(ours));
        }
    }
    Some(experiment)
}
