//! Finds experiment files, and tells on standard error what is wrong with one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::experiment::{
    file::{Experiment, Invalid, ReadError, read_file},
    template,
};

/// The file itself, or the YAML and JSON files below a directory in the order of their names.
pub(super) fn below(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = || format!("failed to read the directory {}", path.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).with_context(failed)? {
        entries.push(entry.with_context(failed)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        if entry.is_dir() {
            found.extend(below(&entry)?);
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            found.push(entry);
        }
    }
    Ok(found)
}

pub(super) fn complain(invalid: &Invalid) {
    for problem in &invalid.problems {
        anstream::eprintln!("{problem}");
    }
}

/// A file of that name, else the template. `None` when it is neither, or invalid, which is then told.
pub(super) fn read(path: &Path) -> Option<Experiment> {
    let template = path.to_str().filter(|_| !path.exists()).and_then(template::find);
    // What looks like the name of a template was hardly meant as a file.
    let is_bare = path.extension().is_none() && path.components().count() == 1;
    if template.is_none() && is_bare && !path.exists() {
        let name = path.display();
        anstream::eprintln!(
            "no template is called {name}, and no file is: `reveille-chaos templates` shows them"
        );
        return None;
    }
    let read = match template {
        Some(template) => template.read().map_err(ReadError::from),
        None => read_file(path),
    };
    match read {
        Ok(experiment) => return Some(experiment),
        Err(ReadError::Invalid(invalid)) => complain(&invalid),
        Err(error) => anstream::eprintln!("{:#}", anyhow::Error::from(error)),
    }
    None
}
