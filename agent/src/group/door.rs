//! The way into a group for a process that is about to be started: it is in it before its command begins.

use std::{fs::File, io::Write};

use tokio::process::Command;

/// Open for one start.
#[derive(Debug)]
pub struct Door {
    pub(super) files: Vec<File>,
}

impl Door {
    /// The process `command` starts goes through first; if it cannot, it is not started.
    #[expect(unsafe_code, reason = "between fork and exec is the only moment without a race")]
    pub fn lead(self, command: &mut Command) {
        let enter = move || {
            // "0" is whoever writes it.
            self.files.iter().try_for_each(|mut file| file.write(b"0").map(|_| ()))
        };
        // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe calls are allowed:
        // other threads may have held locks, the allocator's among them, at the fork. It does nothing but write(2) on
        // descriptors that were opened before the fork. `File` is not buffered, `write` takes no lock and allocates
        // nothing, and an error is the bare number of the operating system. The files are dropped by the parent only.
        unsafe {
            command.pre_exec(enter);
        }
    }
}
