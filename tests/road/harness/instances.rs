//! The processes an agent has started as instances: they outlive it, and so they would outlive a test.

use std::{fs, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Those whose standard input is a file below the agent's state directory: its hold on an instance.
pub(crate) fn living_instances(state_dir: &Path) -> Vec<Pid> {
    let Ok(state_dir) = state_dir.canonicalize() else { return Vec::new() };
    let held =
        |id: &i32| fs::read_link(format!("/proc/{id}/fd/0")).is_ok_and(|file| file.starts_with(&state_dir));
    let processes = fs::read_dir("/proc").expect("a process file system");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(held).map(Pid::from_raw).collect()
}

pub(crate) fn kill_instances(state_dir: &Path) {
    for id in living_instances(state_dir) {
        // It may have ended by itself meanwhile.
        let _ = kill(id, Signal::SIGKILL);
    }
}
