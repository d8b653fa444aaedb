//! The lock that a process needs to write to a database of SQLite in WAL mode, held by somebody else.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};
use tokio::time::Instant;

/// The byte of the `-shm` file that writers lock: `WAL_WRITE_LOCK` in "WAL-mode File Format", sqlite.org/walformat.html.
const WRITE_LOCK: i64 = 120;
/// Whoever holds it writes, which takes a moment.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN_EVERY: Duration = Duration::from_millis(1);

/// Nobody else writes while it is there. The kernel lets it go with the process that has it, however that ends.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
}

impl WriteLock {
    /// Of the database at `path`, which somebody has opened.
    ///
    /// # Errors
    /// When the database is not open in WAL mode, or is written to for longer than any write takes.
    pub(crate) async fn take(path: &Path) -> anyhow::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push("-shm");
        let file = OpenOptions::new().read(true).write(true).open(&name);
        let file = file.with_context(|| format!("failed to open {}", Path::new(&name).display()))?;
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: WRITE_LOCK,
            l_len: 1,
            l_pid: 0,
        };
        let began = Instant::now();
        loop {
            // Of this open file and not of the process: another look at the same database in it takes nothing away.
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)) {
                Ok(_) => return Ok(Self { _file: file }),
                Err(Errno::EAGAIN | Errno::EACCES) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(AGAIN_EVERY).await;
                }
                Err(error) => return Err(error).context("failed to lock the database"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_cannot_hold_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("reveille.db");
        std::fs::write(dir.path().join("reveille.db-shm"), [0; 1024]).expect("written");
        let held = WriteLock::take(&path).await.expect("free");
        let waits = tokio::time::timeout(Duration::from_millis(50), WriteLock::take(&path));
        assert!(waits.await.is_err(), "it is held");
        drop(held);
        WriteLock::take(&path).await.expect("free again");
    }
}
