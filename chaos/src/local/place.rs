//! The directory of a local world. Its name says whose it is, so that what a keeper left that was killed itself is removed by the
//! next one.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::container::owner::{in_path, is_gone, is_here, of_path, this_process};

/// Begins the name of every such directory; the rest says which process it belongs to.
const PREFIX: &str = "reveille-local.";

/// Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
}

impl Place {
    /// Makes the directory of this process below the system's directory for what is temporary, and removes those whose process is
    /// gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make() -> anyhow::Result<Self> {
        Self::make_below(&std::env::temp_dir())
    }

    fn make_below(above: &Path) -> anyhow::Result<Self> {
        for (left, _) in left_behind(above) {
            if let Err(error) = std::fs::remove_dir_all(&left) {
                tracing::warn!(%error, left = %left.display(), "what another world left could not be removed");
            }
        }
        let path = above.join(name_of(&this_process()));
        std::fs::create_dir(&path).with_context(|| format!("failed to make {}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it now, and says so where it could not be.
    ///
    /// # Errors
    /// When something of it is left.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            tracing::error!(%error, path = %self.path.display(), "the directory of a world was left behind");
        }
    }
}

/// What the directory of a world is called whose keeper is the process behind this label.
pub(super) fn name_of(owner: &str) -> String {
    format!("{PREFIX}{}", in_path(owner))
}

/// Every directory of a world, with the label and the id of its keeper.
fn all(above: &Path) -> impl Iterator<Item = (PathBuf, String, i32)> {
    let entries = std::fs::read_dir(above).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let owner = of_path(entry.file_name().to_str()?.strip_prefix(PREFIX)?);
        let keeper = owner.split('/').nth(1)?.parse().unwrap_or_default();
        Some((entry.path(), owner, keeper))
    })
}

/// Those whose keeper is certainly gone.
pub(super) fn left_behind(above: &Path) -> Vec<(PathBuf, i32)> {
    all(above).filter(|(_, owner, _)| is_gone(owner)).map(|(path, _, keeper)| (path, keeper)).collect()
}

/// Those whose keeper lives, on this machine.
pub(super) fn kept(above: &Path) -> Vec<(PathBuf, String, i32)> {
    all(above).filter(|(_, owner, keeper)| *keeper > 0 && !is_gone(owner) && is_here(owner)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_keeper_left_is_removed_and_nothing_else() {
        let above = tempfile::tempdir().expect("a directory");
        let own = this_process();
        let (host, _) = own.split_once('/').expect("host and process");
        let dead = above.path().join(format!("{PREFIX}{host}@4294967295@1"));
        let (foreign, other) =
            (above.path().join(format!("{PREFIX}elsewhere@1@1")), above.path().join("other"));
        for dir in [&dead, &foreign, &other] {
            std::fs::create_dir_all(dir.join("controller")).expect("made");
        }
        let place = Place::make_below(above.path()).expect("made");
        assert!(!dead.exists() && foreign.exists() && other.exists());
        assert!(left_behind(above.path()).is_empty(), "its own keeper lives");
        let path = place.path().to_owned();
        drop(place);
        assert!(!path.exists());
    }
}
