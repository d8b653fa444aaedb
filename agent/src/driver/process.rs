//! Wakes by starting a command on this host. The process is the instance: it outlives the agent.

use std::{fs::File, io, path::Path, process::Stdio, time::Duration};

use futures::future::BoxFuture;
use jiff::SignedDuration;
use nix::sys::signal::{Signal, killpg};
use reveille_proto::{InstanceId, clock::Clock};
use tokio::process::{Child, Command};
use tracing::{info, warn};

use super::{
    Call, CallOutcome, Driver,
    pid_file::{PidFile, Started},
};
use crate::{
    chain::Chain,
    config,
    group::{Door, GroupError, Groups},
};

/// Seconds for the kernel to end what was killed.
const KILL_GRACE_S: u64 = 10;

/// How often a process that was told to stop is looked at.
const STOP_LOOK_MS: u64 = 50;

pub(super) struct ProcessDriver {
    process: config::ProcessDriver,
    pid_file: PidFile,
    clock: Clock,
    instance: InstanceId,
    groups: Option<Groups>,
}

impl ProcessDriver {
    pub(super) fn new(
        process: config::ProcessDriver,
        pid_dir: &Path,
        instance: &InstanceId,
        clock: Clock,
        groups: Option<Groups>,
    ) -> Self {
        let pid_file = PidFile::new(pid_dir, instance);
        Self { process, pid_file, clock, instance: instance.clone(), groups }
    }

    fn start(&self, call: &Call) -> CallOutcome {
        let hold = match self.pid_file.take_hold() {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                info!(wake_id = %call.wake, instance_id = %call.instance, "its process already lives");
                return CallOutcome::Accepted;
            }
            Err(error) => return not_sent("hold its pid file", &error),
        };
        let child = match self.spawn(hold) {
            Ok(child) => child,
            Err(outcome) => return outcome,
        };
        self.note(call, &child);
        tokio::spawn(reap(child, call.clone()));
        CallOutcome::Accepted
    }

    /// In its CPU group from the first instruction on. Where that cannot be, it starts without, unless it must.
    fn spawn(&self, hold: File) -> Result<Child, CallOutcome> {
        if let Some(groups) = &self.groups {
            let error = match groups.place(&self.instance) {
                Ok(door) => match self.spawn_through(&hold, door) {
                    Ok(child) => return Ok(child),
                    Err(error) => GroupError::Enter { source: error },
                },
                Err(error) => error,
            };
            if groups.is_required() {
                let detail = format!("failed to start in a CPU group: {}", Chain(&error));
                return Err(CallOutcome::NotSent { detail, retryable: true });
            }
            warn!(instance_id = %self.instance, error = %Chain(&error), "it starts outside the CPU group");
        }
        let mut command = self.command(hold).map_err(|e| not_sent("prepare its command", &e))?;
        command.spawn().map_err(|e| not_sent("start its command", &e))
    }

    fn spawn_through(&self, hold: &File, door: Door) -> io::Result<Child> {
        let mut command = self.command(hold.try_clone()?)?;
        door.lead(&mut command);
        command.spawn()
    }

    fn command(&self, hold: File) -> io::Result<Command> {
        let process = &self.process;
        let output = || match &process.log_file {
            None => Ok(Stdio::null()),
            Some(path) => File::options().create(true).append(true).open(path).map(Stdio::from),
        };
        let no_log = |e: io::Error| io::Error::new(e.kind(), format!("its log file cannot be opened: {e}"));
        let mut command = Command::new(&process.command);
        command.args(&process.args).process_group(0).kill_on_drop(false);
        command.stdin(hold).stdout(output().map_err(no_log)?).stderr(output().map_err(no_log)?);
        if let Some(dir) = &process.working_dir {
            command.current_dir(dir);
        }
        // The service manager's wires are the agent's own.
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        for (name, value) in &process.env {
            let value = value.reveal(&format!("env.{name}"));
            // What is not configured will not be there soon.
            let value = value.map_err(|e| io::Error::new(io::ErrorKind::NotFound, e.to_string()));
            command.env(name, value?);
        }
        Ok(command)
    }

    fn note(&self, call: &Call, child: &Child) {
        let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
        if let Err(error) = self.pid_file.write(call.wake, pid) {
            warn!(wake_id = %call.wake, instance_id = %call.instance, %error, "its process id cannot be noted; it cannot be stopped by a cancel");
        }
    }

    async fn stop(&self, started: &Started) {
        for (signal, grace_s) in
            [(Signal::SIGTERM, self.process.stop_grace_s), (Signal::SIGKILL, KILL_GRACE_S)]
        {
            if !started.lives() || killpg(started.group(), signal).is_err() {
                return;
            }
            let until =
                self.clock.now() + SignedDuration::from_secs(i64::try_from(grace_s).unwrap_or(i64::MAX / 4));
            while started.lives() && self.clock.now() < until {
                self.clock.sleep(Duration::from_millis(STOP_LOOK_MS)).await;
            }
        }
    }
}

impl Driver for ProcessDriver {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move { self.start(call) })
    }

    /// Stops what this wake started, and nothing else.
    fn cancel<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(started) = self.pid_file.living().filter(|started| started.wake == call.wake) {
                self.stop(&started).await;
            }
        })
    }

    fn over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let Some(groups) = self.groups.clone() else { return };
            let instance = self.instance.clone();
            // The kernel may take its time to move a process.
            let lifted = tokio::task::spawn_blocking(move || groups.lift(&instance)).await;
            if let Ok(Err(error)) = lifted {
                warn!(instance_id = %self.instance, error = %Chain(&error), "it stays in the CPU group of starting instances");
            }
        })
    }
}

fn not_sent(what: &str, error: &io::Error) -> CallOutcome {
    let lasting = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
    CallOutcome::NotSent { detail: format!("failed to {what}: {error}"), retryable: !lasting }
}

async fn reap(mut child: Child, call: Call) {
    match child.wait().await {
        Ok(status) => info!(wake_id = %call.wake, instance_id = %call.instance, %status, "its process ended"),
        Err(error) => {
            warn!(wake_id = %call.wake, instance_id = %call.instance, %error, "its process was lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(wake: u8) -> Call {
        Call {
            wake: format!("0190a1b2-0000-7000-8000-0000000000{wake:02}").parse().expect("valid"),
            instance: "dev7".parse().expect("valid"),
            idempotency_key: String::new(),
        }
    }

    /// Runs `script`, which appends what it does to `log`.
    fn driver(dir: &Path, script: &str) -> ProcessDriver {
        let process = config::ProcessDriver {
            command: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: [("WHO".to_owned(), "dev7".into())].into(),
            log_file: Some(dir.join("log")),
            stop_grace_s: 1,
            ..config::ProcessDriver::default()
        };
        ProcessDriver::new(process, dir, &call(1).instance, Clock::system(), None)
    }

    async fn log_holds(dir: &Path, text: &str) {
        let seen = async {
            while !std::fs::read_to_string(dir.join("log")).unwrap_or_default().contains(text) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the process writes");
    }

    #[tokio::test]
    async fn a_living_process_is_not_started_twice_even_by_a_new_agent() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = driver(dir.path(), "echo began $WHO; exec sleep 600");
        assert_eq!(first.call(&call(1)).await, CallOutcome::Accepted);
        log_holds(dir.path(), "began dev7").await;
        std::fs::remove_file(dir.path().join("dev7.pid")).expect("the note is lost, as by a crash");
        let second = driver(dir.path(), "echo twice");
        assert_eq!(second.call(&call(2)).await, CallOutcome::Accepted);
        assert!(
            second.pid_file.take_hold().expect("readable").is_none(),
            "the hold alone says that it lives"
        );
        assert!(!std::fs::read_to_string(dir.path().join("log")).expect("a log").contains("twice"));
        // Clean up: the group is known from the log of the kernel only, so note it again.
        let pid = procfs::process::all_processes()
            .expect("readable")
            .flatten()
            .find(|p| {
                p.fd_from_fd(0).is_ok_and(|fd| {
                    fd.target == procfs::process::FDTarget::Path(dir.path().join("dev7.hold"))
                })
            })
            .expect("the process")
            .pid();
        first.pid_file.write(call(1).wake, pid).expect("written");
        first.cancel(&call(1)).await;
        assert!(
            first.pid_file.take_hold().expect("readable").is_some(),
            "it is gone and may be started anew"
        );
    }

    #[tokio::test]
    async fn cancel_stops_the_whole_group_of_this_wake_only_and_insists() {
        let dir = tempfile::tempdir().expect("a directory");
        let stubborn = driver(dir.path(), "trap '' TERM; echo began; while :; do sleep 600 & wait; done");
        assert_eq!(stubborn.call(&call(1)).await, CallOutcome::Accepted);
        log_holds(dir.path(), "began").await;
        stubborn.cancel(&call(2)).await;
        let started = stubborn.pid_file.living().expect("another wake's cancel is not ours");
        driver(dir.path(), "after a restart").cancel(&call(1)).await;
        assert!(!started.lives());
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_was_not_sent() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut missing = driver(dir.path(), "");
        missing.process.command = "/nonexistent/command".into();
        let outcome = missing.call(&call(1)).await;
        assert!(matches!(outcome, CallOutcome::NotSent { retryable: false, .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn it_starts_in_its_cpu_group_and_leaves_it_when_the_wake_is_over() {
        let host = format!("test-driver-{}", std::process::id()).parse().expect("valid");
        let groups = match Groups::open(Path::new("/"), None, &host, true) {
            Ok(groups) => groups,
            Err(error) => return eprintln!("SKIPPED: {error}: no control group can be written here"),
        };
        let dir = tempfile::tempdir().expect("a directory");
        let script =
            "while read -r line; do echo \"in $line\"; done </proc/self/cgroup; echo began; exec sleep 600";
        let started = ProcessDriver { groups: Some(groups.clone()), ..driver(dir.path(), script) };
        assert_eq!(started.call(&call(1)).await, CallOutcome::Accepted);
        log_holds(dir.path(), "began").await;
        log_holds(dir.path(), "/starting/instance-dev7").await;
        started.over().await;
        let pid = started.pid_file.living().expect("it lives").group().as_raw();
        let now = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it lives");
        assert!(now.contains("/serving/instance-dev7") && !now.contains("/starting/"), "{now}");
        started.cancel(&call(1)).await;
        let empty = async {
            while !groups.remove_all() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), empty).await.expect("nothing is left behind");
    }
}
