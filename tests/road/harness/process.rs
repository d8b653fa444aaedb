//! A process in a group of its own, with its output in a file; nothing of the group outlives the test.

use std::{fs::File, path::Path, process::ExitStatus, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How long a process may take to end in order.
const DRAIN_S_MAX: u64 = 60;

#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    /// It leads its group.
    id: Pid,
}

impl Process {
    /// Starts it; its output is appended to `log`.
    pub(super) fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("a log can be made");
        let errors = log.try_clone().expect("a log can be written twice");
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        let id = child.id().and_then(|id| i32::try_from(id).ok()).expect("it has just been started");
        Self { name: name.to_owned(), child, id: Pid::from_raw(id) }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for")
    }

    /// SIGTERM, and waits until it has drained.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        assert_eq!(self.ended(), None, "{} ended before it was told to", self.name);
        kill(self.id, Signal::SIGTERM).expect("it lives");
        let ended = timeout(Duration::from_secs(DRAIN_S_MAX), self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("{} did not end in {DRAIN_S_MAX} s", self.name))
            .expect("a child ends")
    }

    pub(crate) fn pid(&self) -> i32 {
        self.id.as_raw()
    }

    /// kill -9, and waits until it is gone. What it started lives on.
    pub(crate) async fn kill(mut self) {
        self.kill_now().await;
    }

    /// As [`Self::kill`], for who asks about it afterwards.
    pub(crate) async fn kill_now(&mut self) {
        assert_eq!(self.ended(), None, "{} ended by itself", self.name);
        self.child.kill().await.expect("it lives");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if self.child.id().is_some() {
            let _ = killpg(self.id, Signal::SIGKILL);
        }
    }
}
