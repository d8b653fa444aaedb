//! Where a simulated installation lives: one thread, a clock that leaps when there is nothing to do, and a directory in memory
//! where there is one.

use std::{
    io,
    path::Path,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use reveille_proto::waits::Waits;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};

/// Databases answer from here; it has a clock of its own, the real one.
static ELSEWHERE: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("elsewhere").enable_all().build()
});

/// A file system in memory, where commits cost nothing.
const IN_MEMORY: &str = "/dev/shm";

/// Looks at the clock, and how long between two of them in real time: whoever is busy for so long at one instant will be for ever.
const LOOKS_MAX: u32 = 300;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Something is busy for ever at one instant, and no time passes.
#[derive(Debug, thiserror::Error)]
#[error("no time passes: something is busy for ever at one instant")]
pub struct StandsStill;

/// Runs `work` on this thread under a clock that stands still while it has anything to do.
///
/// # Errors
/// When no runtime can be made, or when the clock [`StandsStill`].
pub fn within<F: Future>(work: impl FnOnce(Waits) -> F) -> io::Result<F::Output> {
    let elsewhere = ELSEWHERE.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let waits = Waits::in_place(elsewhere.handle().clone());
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let (seconds, still) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    watch(Arc::downgrade(&seconds), Arc::clone(&still));
    runtime.block_on(async {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                seconds.fetch_add(1, Ordering::Relaxed);
            }
        });
        tokio::select! {
            biased;
            () = still.notified() => Err(io::Error::other(StandsStill)),
            output = work(waits) => Ok(output),
        }
    })
}

/// Looks at a clock from outside, as nobody within can see that it stands still, until it is gone. Looks are counted, not the
/// time between them: a process that is held is not busy.
fn watch(seconds: Weak<AtomicU64>, still: Arc<Notify>) {
    thread::spawn(move || {
        let (mut before, mut looks) = (0, 0);
        while let Some(now) = seconds.upgrade().map(|seconds| seconds.load(Ordering::Relaxed)) {
            looks = if now == before { looks + 1 } else { 0 };
            before = now;
            if looks >= LOOKS_MAX {
                return still.notify_one();
            }
            thread::sleep(LOOK_EVERY);
        }
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_for_ever_at_one_instant_is_ended_and_who_takes_time_is_not() {
        let minutes = within(async |_| tokio::time::sleep(Duration::from_secs(600)).await);
        assert!(minutes.is_ok());
        let busy = within(async |_| {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let error: io::Error = busy.map(|()| ()).expect_err("it stands still");
        assert!(error.get_ref().is_some_and(|error| error.is::<StandsStill>()), "{error}");
    }
}
