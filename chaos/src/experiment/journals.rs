//! The journals in a directory, as `run --journals` writes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why journals cannot be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    #[error("failed to read {path}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is no journal of a run", path = path.display())]
    NoJournal {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("there is no journal (*.json) in {path}; `run --journals` writes them", path = path.display())]
    Empty { path: PathBuf },
}

/// Written beside the journal of a local run: how its faults ended.
pub(super) const FAULTS_SUFFIX: &str = ".faults.json";

/// Of each journal `*.json` in `dir` what its reader wants to know, in no order.
///
/// # Errors
/// When the directory or a file cannot be read.
pub(super) fn read_all<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>, Unreadable> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Unreadable::Io { path, source }
    };
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        let is_beside = path.to_string_lossy().ends_with(FAULTS_SUFFIX);
        if is_beside || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        all.push(serde_json::from_str(&text).map_err(|source| Unreadable::NoJournal { path, source })?);
    }
    Ok(all)
}
