//! Where a simulated installation lives: one thread, a clock that leaps when there is nothing to do, and a directory in memory
//! where there is one.

use std::{io, path::Path, sync::LazyLock};

use reveille_proto::waits::Waits;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Databases answer from here; it has a clock of its own, the real one.
static ELSEWHERE: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("elsewhere").enable_all().build()
});

/// A file system in memory, where commits cost nothing.
const IN_MEMORY: &str = "/dev/shm";

/// Runs `work` on this thread under a clock that stands still while it has anything to do.
///
/// # Errors
/// When no runtime can be made.
pub fn within<F: Future>(work: impl FnOnce(Waits) -> F) -> io::Result<F::Output> {
    let elsewhere = ELSEWHERE.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let waits = Waits::in_place(elsewhere.handle().clone());
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    Ok(runtime.block_on(work(waits)))
}

/// A directory that is gone when it is dropped.
pub fn directory() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("reveille-sim-");
    if Path::new(IN_MEMORY).is_dir() {
        // Where it is there, but may not be written to, the usual place will do.
        if let Ok(directory) = builder.tempdir_in(IN_MEMORY) {
            return Ok(directory);
        }
    }
    builder.tempdir()
}
