//! What can go wrong with the journal.

use std::{io, path::PathBuf};

/// A journal that cannot be opened or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    #[error("failed to lock {}: another agent uses this state directory", path.display())]
    Locked { path: PathBuf },
    #[error("failed to {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::sync::Arc<io::Error> },
    #[error("failed to write to the journal: an earlier failure left it torn")]
    Torn,
    #[error("failed to write to the journal: it is closed")]
    Closed,
}
