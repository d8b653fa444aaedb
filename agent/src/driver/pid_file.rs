//! What is remembered of a started process, so that it is never started twice and can be stopped after a restart.
//!
//! Two memories, because a crash may fall between the start and the note of it: a *hold*, an empty file locked and
//! handed to the process as its standard input, which the kernel lets go of when the process is gone; and a *note*
//! of its process id, with its start time so that a reused id is not taken for it.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;
use reveille_proto::{InstanceId, WakeId};
use serde::{Deserialize, Serialize};

/// Names of one instance's two files.
#[derive(Debug, Clone)]
pub(super) struct PidFile {
    hold: PathBuf,
    note: PathBuf,
}

/// A process as it was when it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) wake: WakeId,
    pub(super) pid: i32,
    /// Since the boot, in the kernel's ticks.
    start_ticks: u64,
    boot_id: String,
}

impl PidFile {
    pub(super) fn new(dir: &Path, instance: &InstanceId) -> Self {
        // An id may hold `/`, a file name may not; `%` is no letter of an id, so no two ids meet.
        let name = instance.as_str().replace('/', "%2F");
        Self { hold: dir.join(format!("{name}.hold")), note: dir.join(format!("{name}.pid")) }
    }

    /// The locked file for a new process; `None` when an earlier process lives.
    pub(super) fn take_hold(&self) -> io::Result<Option<File>> {
        if self.living().is_some() {
            return Ok(None);
        }
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&self.hold)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Notes a process of this host.
    pub(super) fn write(&self, wake: WakeId, pid: i32) -> io::Result<()> {
        let start_ticks = start_ticks(pid).ok_or(io::ErrorKind::NotFound)?;
        let started = Started { wake, pid, start_ticks, boot_id: boot_id() };
        let fresh = self.note.with_extension("pid.new");
        std::fs::write(&fresh, serde_json::to_vec(&started)?)?;
        std::fs::rename(fresh, &self.note)
    }

    /// The noted process, if it lives.
    pub(super) fn living(&self) -> Option<Started> {
        let started: Started = serde_json::from_slice(&std::fs::read(&self.note).ok()?).ok()?;
        started.lives().then_some(started)
    }
}

impl Started {
    pub(super) fn lives(&self) -> bool {
        self.boot_id == boot_id() && start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Its process group, which it leads.
    pub(super) fn group(&self) -> Pid {
        Pid::from_raw(self.pid)
    }
}

/// When a process was started; `None` when there is none, or only its remains.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat.starttime)
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> (tempfile::TempDir, PidFile) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = PidFile::new(dir.path(), &"a/b".parse().expect("valid"));
        (dir, file)
    }

    #[test]
    fn a_reused_process_id_is_not_the_process() {
        let (_dir, file) = ours();
        let wake = "0190a1b2-0000-7000-8000-000000000001".parse().expect("valid");
        let own = i32::try_from(std::process::id()).expect("small");
        file.write(wake, own).expect("written");
        let started = file.living().expect("this test lives");
        assert_eq!((started.wake, started.pid), (wake, own));
        let other = Started { start_ticks: started.start_ticks + 1, ..started.clone() };
        assert!(!other.lives());
        assert!(!Started { boot_id: "before".into(), ..started }.lives());
        assert!(file.take_hold().expect("readable").is_none());
    }

    #[test]
    fn a_hold_is_had_once() {
        let (_dir, file) = ours();
        let hold = file.take_hold().expect("made").expect("free");
        assert!(file.take_hold().expect("readable").is_none());
        drop(hold);
        assert!(file.take_hold().expect("readable").is_some());
    }
}
