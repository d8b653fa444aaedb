//! The directory of a local world. Its name says whose it is, so that what a keeper left that was killed itself is removed by the
//! next one.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::container::owner::{is_gone, this_process};

/// Begins the name of every such directory; the rest says which process it belongs to.
const PREFIX: &str = "reveille-local.";
/// Stands between the parts of the owner, where a path has no room for a slash.
const SEPARATOR: &str = "@";

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
        for left in left_behind(above) {
            if let Err(error) = std::fs::remove_dir_all(&left) {
                tracing::warn!(%error, left = %left.display(), "what another world left could not be removed");
            }
        }
        let path = above.join(format!("{PREFIX}{}", this_process().replace('/', SEPARATOR)));
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

/// Directories of worlds whose keeper is certainly gone.
fn left_behind(above: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(above).into_iter().flatten().flatten();
    let is_left = |name: &str| {
        let owner = name.strip_prefix(PREFIX);
        owner.is_some_and(|owner| is_gone(&owner.replace(SEPARATOR, "/")))
    };
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_left))
        .map(|entry| entry.path())
        .collect()
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
