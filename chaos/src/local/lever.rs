//! The lever: ends every world of processes that is kept on this machine, whoever runs it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::place::{kept, left_behind};
use crate::container::owner::is_gone;

/// As long as a keeper has to end its world in order.
const IN_ORDER: Duration = Duration::from_secs(20);
/// And the kernel to end a keeper that was killed.
const BY_FORCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What became of one world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    pub dir: PathBuf,
    pub keeper: i32,
    /// `ended` by its keeper, `killed` with its keeper, `removed` where the keeper was gone.
    pub how: &'static str,
}

/// Ends all of them and says what became of each.
///
/// # Errors
/// When one cannot be ended: it belongs to somebody else, say.
pub async fn pull() -> anyhow::Result<Vec<Pulled>> {
    pull_below(&std::env::temp_dir()).await
}

async fn pull_below(above: &Path) -> anyhow::Result<Vec<Pulled>> {
    let mut pulled = Vec::new();
    for (dir, owner, keeper) in kept(above) {
        let pid = Pid::from_raw(keeper);
        kill(pid, Signal::SIGTERM).with_context(|| format!("the keeper {keeper} cannot be told to end"))?;
        let mut how = "ended";
        if !is_over(&owner, IN_ORDER).await {
            how = "killed";
            kill(pid, Signal::SIGKILL).with_context(|| format!("the keeper {keeper} cannot be killed"))?;
            anyhow::ensure!(is_over(&owner, BY_FORCE).await, "the keeper {keeper} is still there");
        }
        remove(&dir)?;
        pulled.push(Pulled { dir, keeper, how });
    }
    for (dir, keeper) in left_behind(above) {
        remove(&dir)?;
        pulled.push(Pulled { dir, keeper, how: "removed" });
    }
    Ok(pulled)
}

async fn is_over(owner: &str, within: Duration) -> bool {
    let until = Instant::now() + within;
    while !is_gone(owner) {
        if Instant::now() >= until {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

fn remove(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::container::owner::of_process;

    fn place_of(above: &Path, pid: u32) -> PathBuf {
        let dir = above.join(super::super::place::name_of(&of_process(pid)));
        fs::create_dir_all(dir.join("controller")).expect("made");
        dir
    }

    #[tokio::test]
    async fn every_keeper_is_ended_and_what_dead_ones_left_is_removed() {
        let above = tempfile::tempdir().expect("a directory");
        let sleeper = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("a process");
        let (mut living, mut dead) = (sleeper(), sleeper());
        let (kept, left) = (place_of(above.path(), living.id()), place_of(above.path(), dead.id()));
        let other = above.path().join("other");
        fs::create_dir_all(&other).expect("made");
        dead.kill().expect("killed");
        dead.wait().expect("ended");
        let pulled = pull_below(above.path()).await.expect("pulled");
        let how: Vec<_> = pulled.iter().map(|one| (one.dir.clone(), one.how)).collect();
        assert_eq!(how, [(kept.clone(), "ended"), (left.clone(), "removed")]);
        assert!(!living.wait().expect("ended").success());
        assert!(!kept.exists() && !left.exists() && other.exists());
        assert_eq!(pull_below(above.path()).await.expect("nothing to do"), []);
    }
}
