//! Where a simulated installation lives: one thread, a clock that leaps when there is nothing to do, and a directory in memory
//! where there is one.

use std::{
    fs, io,
    path::Path,
    sync::{LazyLock, Once},
    thread,
};

use reveille_proto::waits::Waits;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::container::owner::{in_path, is_gone, of_path, this_process};

/// Databases answer from here; it has a clock of its own, the real one.
static ELSEWHERE: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("elsewhere").enable_all().build()
});

/// A file system in memory, where commits cost nothing.
const IN_MEMORY: &str = "/dev/shm";

/// Runs `work` on this thread under a clock that stands still while it has anything to do. Where the runtime draws lots (which
/// branch of a `select!` is looked at first, who of many waiters is woken first) it draws them by `seed`.
///
/// # Errors
/// When no runtime can be made.
pub fn within<F: Future>(seed: u64, work: impl FnOnce(Waits) -> F) -> io::Result<F::Output> {
    let elsewhere = ELSEWHERE.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let waits = Waits::in_place(elsewhere.handle().clone());
    let mut builder = Builder::new_current_thread();
    draw_lots_by(seed, builder.enable_all().start_paused(true));
    Ok(builder.build()?.block_on(work(waits)))
}

// `.cargo/config.toml` has it built so. Who builds with flags of their own goes without: what is drawn by chance then is found
// by the plays that are made twice.
#[cfg(tokio_unstable)]
fn draw_lots_by(seed: u64, builder: &mut Builder) {
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
}

#[cfg(not(tokio_unstable))]
fn draw_lots_by(_: u64, _: &mut Builder) {}

/// Does `work` on so many threads at once, and waits for all.
///
/// Where there are enough cores each thread stays on one of its own, and so do the threads that its databases answer from: who
/// asks stands still until the answer is there, and to wake another core for it takes longer than most answers do. And who is
/// woken waits until who answers has said all of it: otherwise each row of an answer would change the thread twice.
pub fn side_by_side(jobs: usize, work: impl Fn() + Sync) {
    // Its thread is everybody's: it is made before any stays anywhere.
    LazyLock::force(&ELSEWHERE);
    let (jobs, cores, work) = (jobs.max(1), pinned::usable(), &work);
    thread::scope(|scope| {
        for place in 0..jobs {
            let own = cores.get(place).filter(|_| jobs <= cores.len()).copied();
            scope.spawn(move || {
                if let Some(own) = own {
                    pinned::stay_on(own);
                    pinned::take_turns();
                }
                work();
            });
        }
    });
}

#[cfg(target_os = "linux")]
mod pinned {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };

    /// The calling thread.
    const SELF: Pid = Pid::from_raw(0);

    /// The cores this thread may use.
    pub(super) fn usable() -> Vec<usize> {
        let Ok(set) = sched_getaffinity(SELF) else { return Vec::new() };
        (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect()
    }

    /// From now on this thread, and those it starts. Where that is not allowed nothing is lost but speed.
    pub(super) fn stay_on(core: usize) {
        let mut set = CpuSet::new();
        if set.set(core).is_ok() {
            sched_setaffinity(SELF, &set).ok();
        }
    }

    /// From now on this thread, and those it starts, take no other's place because they were woken (`SCHED_BATCH`). Where that is
    /// not allowed nothing is lost but speed.
    #[expect(unsafe_code, reason = "no safe binding of sched_setscheduler")]
    pub(super) fn take_turns() {
        let none = nix::libc::sched_param { sched_priority: 0 };
        // SAFETY: the pointer is to a value that lives until the call has returned, and the kernel only reads it.
        unsafe { nix::libc::sched_setscheduler(SELF.as_raw(), nix::libc::SCHED_BATCH, &raw const none) };
    }
}

#[cfg(not(target_os = "linux"))]
mod pinned {
    pub(super) fn usable() -> Vec<usize> {
        Vec::new()
    }

    pub(super) fn stay_on(_: usize) {}

    pub(super) fn take_turns() {}
}

/// Begins the name of every such directory; then come whose it is, and a part by chance.
const PREFIX: &str = "reveille-sim.";

/// A directory that is gone when it is dropped. Who is killed leaves it behind, and the next one removes it.
///
/// # Errors
/// When none can be made.
pub fn directory() -> io::Result<TempDir> {
    static LEFT: Once = Once::new();
    LEFT.call_once(|| [Path::new(IN_MEMORY), &std::env::temp_dir()].into_iter().for_each(remove_left));
    let mut builder = tempfile::Builder::new();
    let prefix = format!("{PREFIX}{}.", in_path(&this_process()));
    builder.prefix(&prefix);
    if Path::new(IN_MEMORY).is_dir() {
        // Where it is there, but may not be written to, the usual place will do.
        if let Ok(directory) = builder.tempdir_in(IN_MEMORY) {
            return Ok(directory);
        }
    }
    builder.tempdir()
}

/// Removes what those have left in `above` who are certainly gone.
fn remove_left(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.rsplit_once('.'));
        if owner.is_some_and(|(owner, _)| is_gone(&of_path(owner))) {
            // Somebody else may do it at the same time, or it may not be ours.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_have_left_is_removed_and_who_lives_is_left_alone() {
        let above = TempDir::new().expect("a directory");
        let own = in_path(&this_process());
        let (host, _) = own.split_once('@').expect("host and process");
        let lodging = |name: String| {
            let path = above.path().join(name);
            fs::create_dir_all(path.join("controller")).expect("made");
            path
        };
        let dead = lodging(format!("{PREFIX}{host}@4294967295@1.aBc"));
        let left_alone = [
            lodging(format!("{PREFIX}{own}.aBc")),
            lodging(format!("{PREFIX}elsewhere@1@1.aBc")),
            lodging("something-else".to_owned()),
        ];
        remove_left(above.path());
        assert!(!dead.exists() && left_alone.iter().all(|path| path.exists()));
        remove_left(&above.path().join("nowhere"));
        let name =
            directory().expect("made").path().file_name().map(|name| name.to_string_lossy().into_owned());
        assert!(name.is_some_and(|name| name.starts_with(&format!("{PREFIX}{own}."))));
    }
}
