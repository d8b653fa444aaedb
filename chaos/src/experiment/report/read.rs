//! Journals, of which a report needs a few fields.

use std::path::Path;

use serde::Deserialize;

use crate::experiment::{
    Verdict,
    file::{Layer, Quadrant},
    journals::{Unreadable, read_all},
};

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
        let mut kept: Vec<Kept> = read_all(dir)?;
        if kept.is_empty() {
            return Err(Unreadable::Empty { path: dir.to_owned() });
        }
        kept.sort_by(|a, b| (&a.reveille.id, a.reveille.seed).cmp(&(&b.reveille.id, b.reveille.seed)));
        Ok(Self(kept))
    }
}
