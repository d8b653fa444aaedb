//! One process of a local world: started, stopped in the middle of what it does and let go on, killed.

use std::{fs::OpenOptions, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How long a process may take to go down in order.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the kernel may take to stop all threads of a process.
const STOP: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts it; what it says is appended to `log`.
    pub(super) fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        // A group with a stopped process in it that loses its last tie to its session is hung up, by the kernel: in the
        // keeper's own group it would take the keeper with it when the runner dies.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("failed to start {name}"))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = Pid::from_raw(pid.with_context(|| format!("{name} ended at once"))?);
        Ok(Self { name: name.to_owned(), child, pid })
    }

    /// kill -9, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, name = self.name, "it was gone already");
        }
    }

    /// SIGTERM; kill -9 when it takes too long.
    pub(crate) async fn terminate(mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)?;
        self.signal(Signal::SIGTERM)?;
        let Ok(ended) = timeout(DRAIN, self.child.wait()).await else {
            self.child.kill().await.ok();
            bail!("{} did not go down in {DRAIN:?}", self.name);
        };
        let status = ended.with_context(|| format!("failed to wait for {}", self.name))?;
        if !status.success() {
            bail!("{} went down with {status}", self.name);
        }
        Ok(())
    }

    /// SIGSTOP, and waits until the kernel says it is stopped.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let stopped = async {
            while state(self.pid) != Some('T') {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(STOP, stopped).await.with_context(|| format!("{} did not stop", self.name))
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        // Not after it was waited for: its number may be another's by then.
        if self.child.id().is_none() {
            return Ok(());
        }
        kill(self.pid, signal).with_context(|| format!("failed to send {signal} to {}", self.name))
    }
}

/// What the kernel says a process does: `T` where it is stopped.
fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_stops_goes_on_and_dies() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut process = Process::start("sleeper", command, &dir.path().join("log")).expect("started");
        process.stop().await.expect("stopped");
        assert_eq!(state(process.pid), Some('T'));
        process.go_on().expect("told");
        assert!(!process.has_ended());
        let pid = process.pid;
        process.kill().await;
        assert_eq!(state(pid), None);
    }
}
