//! What a command found out, on standard output, for people or for programs, and in the files that were asked for.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

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
    make_parent(path)?;
    let text = text().with_context(|| format!("failed to make {}", path.display()))?;
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Finds out before hours are spent that a file cannot be written.
pub(super) fn writable<const N: usize>(paths: [&Option<PathBuf>; N]) -> anyhow::Result<()> {
    for path in paths.into_iter().flatten() {
        make_parent(path)?;
        let is_new = !path.exists();
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        opened.with_context(|| format!("failed to write {}", path.display()))?;
        // An empty report would say that there was nothing to report.
        if is_new {
            std::fs::remove_file(path).with_context(|| format!("failed to write {}", path.display()))?;
        }
    }
    Ok(())
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let Some(dir) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))
}

/// What is kept there is of one run, or nobody could tell them apart.
pub(super) fn empty(dir: &Path) -> anyhow::Result<()> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", dir.display())),
    };
    anyhow::ensure!(is_empty, "{} is not empty", dir.display());
    Ok(())
}

/// Between two lines of progress where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// How far something is: a bar on a terminal, a line now and then elsewhere.
pub(super) struct Told {
    bar: ProgressBar,
    /// When the next line is due; none on a terminal.
    line_at: Option<Mutex<Instant>>,
}

impl Told {
    pub(super) fn of(bar: ProgressBar) -> Self {
        let is_drawn = std::io::stderr().is_terminal();
        let line_at = (!is_drawn).then(|| Mutex::new(Instant::now() + LINE_EVERY));
        Self { bar, line_at }
    }

    /// So many are over.
    pub(super) fn done(&self, done: u64) {
        self.bar.set_position(done);
        let Some(line_at) = &self.line_at else { return };
        let (mut line_at, now) = (line_at.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        if now < *line_at {
            return;
        }
        *line_at = now + LINE_EVERY;
        let (all, spent_s) = (self.bar.length().unwrap_or_default(), self.bar.elapsed().as_secs_f64());
        let rate = done as f64 / spent_s.max(1e-9);
        let left_s = all.saturating_sub(done) as f64 / rate.max(1e-9);
        anstream::eprintln!(
            "{done} of {all} after {spent_s:.0} s, {:.0} a minute, {left_s:.0} s left",
            60.0 * rate
        );
    }
}

/// SIGINT and SIGTERM let what is under way come to its end, and nothing more begin: what is known by then is told. A second one
/// ends at once.
pub(super) fn end_when_told() -> anyhow::Result<CancellationToken> {
    let context = "failed to listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).context(context)?;
    let mut terminate = signal(SignalKind::terminate()).context(context)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
        anstream::eprintln!("what is under way is brought to its end; once more ends it at once");
        let number = tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        };
        // As shells tell who died of a signal.
        std::process::exit(128 + number);
    });
    Ok(stop)
}
