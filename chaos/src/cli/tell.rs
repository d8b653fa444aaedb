//! What a command found out, on standard output, for people or for programs, and in the files that were asked for.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use super::args::Output;

pub(super) fn tell<T: Serialize + ?Sized>(
    output: Output,
    told: &T,
    render: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    let text = match output {
        Output::Table => render(),
        Output::Json => serde_json::to_string_pretty(told)? + "\n",
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Writes what was asked for; its directory is made.
pub(super) fn write(
    path: Option<&Path>,
    text: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    }
    let text = text().with_context(|| format!("failed to make {}", path.display()))?;
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
