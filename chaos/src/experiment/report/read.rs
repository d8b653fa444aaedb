//! Journals, of which a report needs a few fields.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

use crate::experiment::{
    Verdict,
    file::{Layer, Quadrant},
};

/// Why a report cannot be made.
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

/// One run.
#[derive(Debug, Clone, Deserialize)]
pub struct Kept {
    experiment: Titled,
    pub duration: f64,
    pub reveille: Ours,
}

#[derive(Debug, Clone, Deserialize)]
struct Titled {
    title: String,
    extensions: Vec<Claimed>,
}

#[derive(Debug, Clone, Deserialize)]
struct Claimed {
    layer: Layer,
    quadrant: Quadrant,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Ours {
    pub id: String,
    pub mode: String,
    pub seed: u64,
    pub verdict: Verdict,
    pub why: Vec<String>,
    pub predictions: Vec<Foretold>,
    pub brier: Option<f64>,
    pub replay: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Foretold {
    pub held: Option<bool>,
}

impl Kept {
    pub fn title(&self) -> &str {
        &self.experiment.title
    }

    /// Of its extension; every experiment of ours has one.
    pub fn claim(&self) -> Option<(Layer, Quadrant)> {
        self.experiment.extensions.first().map(|claimed| (claimed.layer, claimed.quadrant))
    }
}

/// All of a directory, by experiment and seed.
#[derive(Debug, Clone)]
pub struct Journals(pub Vec<Kept>);

impl Journals {
    /// Of the files `*.json` in `dir`.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn read(dir: &Path) -> Result<Self, Unreadable> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Unreadable::Io { path, source }
        };
        let mut kept = Vec::new();
        for entry in fs::read_dir(dir).map_err(io(dir))? {
            let path = entry.map_err(io(dir))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(io(&path))?;
            let one: Kept =
                serde_json::from_str(&text).map_err(|source| Unreadable::NoJournal { path, source })?;
            kept.push(one);
        }
        if kept.is_empty() {
            return Err(Unreadable::Empty { path: dir.to_owned() });
        }
        kept.sort_by(|a, b| (&a.reveille.id, a.reveille.seed).cmp(&(&b.reveille.id, b.reveille.seed)));
        Ok(Self(kept))
    }
}
