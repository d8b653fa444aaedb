//! Where one test plays: alone on the machine, in a directory of its own, whose logs are shown when it fails.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    process::Command,
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};

use super::Process;

/// The tests of processes burn CPU and measure it: one after the other.
static TURN: Mutex<()> = Mutex::const_new(());

/// Lines of each log shown when a test fails.
const SHOWN_LINES: usize = 40;

/// Between two looks at a level, in milliseconds.
const LOOK_EVERY_MS: u64 = 100;

/// The directory of one test, and its turn.
#[derive(Debug)]
pub(crate) struct Stage {
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Waits for its turn.
    pub(crate) async fn enter() -> Self {
        let turn = TURN.lock().await;
        Self { dir: tempfile::tempdir().expect("a temporary directory"), _turn: turn }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program that knows nothing of this machine's user, in this directory.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.dir.path()).current_dir(self.dir.path());
        command
    }

    /// Starts it with its output in `NAME.log`.
    pub(crate) fn start(&self, name: &str, command: Command) -> Process {
        Process::start(name, command, &self.path(name).with_extension("log"))
    }

    fn show_logs(&self) {
        let mut logs: Vec<PathBuf> = std::fs::read_dir(self.dir.path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.sort();
        for log in logs {
            let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            eprintln!("--- the end of {}\n{tail}", log.display());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
    }
}

/// Looks until `level` is there, and gives what it shows. Until then `level` says what it saw instead.
pub(crate) async fn until<T>(
    what: &str,
    deadline_s: u64,
    mut level: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let mut seen = String::from("nothing");
    let looked = timeout(Duration::from_secs(deadline_s), async {
        loop {
            match level().await {
                Ok(found) => return found,
                Err(instead) => seen = instead,
            }
            sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    });
    let found = looked.await;
    found.unwrap_or_else(|_| panic!("{what}: not within {deadline_s} s; seen last: {seen}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_level_is_waited_for_and_its_absence_told() {
        let mut looks = 0;
        let found = until("three looks", 60, async || {
            looks += 1;
            if looks == 3 { Ok("there") } else { Err(format!("{looks} looks")) }
        });
        assert_eq!(found.await, "there");
        let never = tokio::spawn(until("never", 0, async || Err::<(), _>("dark".to_owned())));
        let told = never.await.expect_err("it fails").into_panic();
        let told = told.downcast_ref::<String>().expect("a message");
        assert!(told.starts_with("never: not within 0 s; seen last: "), "{told}");
    }
}
