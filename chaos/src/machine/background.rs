//! What else runs on the host: a process that uses a share of the machine's cores, switched on and off.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::observer::cpu_s_of;

/// One turn of working and resting: short beside the second an observer looks at.
const TURN: Duration = Duration::from_millis(20);

/// Uses so many cores until it is killed; a thread for each begun one.
pub fn burn_share(cores: f64) {
    let mut left = cores;
    let mut threads = Vec::new();
    while left > 0.0 {
        let share = left.min(1.0);
        threads.push(std::thread::spawn(move || burn_turns(share)));
        left -= share;
    }
    for thread in threads {
        thread.join().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "a share of the real CPU is kept by real time")]
fn burn_turns(share: f64) {
    let (mut turn, mut state) = (std::time::Instant::now(), 1u64);
    loop {
        while turn.elapsed() < TURN.mul_f64(share) {
            for _ in 0..10_000 {
                state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
        }
        std::thread::sleep(TURN.saturating_sub(turn.elapsed()));
        turn += TURN;
    }
}

/// The process, on or off.
#[derive(Debug)]
pub(super) struct Background {
    program: std::path::PathBuf,
    cores: f64,
    on: Option<(Child, u32, Instant)>,
    used_s: f64,
}

impl Background {
    pub(super) fn new(program: &Path, cores: f64) -> Self {
        Self { program: program.into(), cores, on: None, used_s: 0.0 }
    }

    pub(super) fn switch_on(&mut self) -> anyhow::Result<()> {
        let child = Command::new(&self.program)
            .args(["burn", "--cores", &self.cores.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("failed to start the background")?;
        let pid = child.id().context("the background ended at once")?;
        self.on = Some((child, pid, Instant::now()));
        Ok(())
    }

    pub(super) async fn switch_off(&mut self) -> anyhow::Result<()> {
        let Some((mut child, pid, _)) = self.on.take() else { return Ok(()) };
        self.used_s += cpu_s_of(pid).unwrap_or(0.0);
        child.kill().await.context("failed to stop the background")
    }

    /// CPU seconds it has used while it was on; it is off now.
    pub(super) async fn finish(mut self) -> anyhow::Result<f64> {
        self.switch_off().await?;
        Ok(self.used_s)
    }
}

/// Switches it on when a quarter of the instances serve, and off when three quarters do.
pub(super) async fn follow(background: &mut Background, served: usize, of: usize) -> anyhow::Result<()> {
    let is_wanted = served * 4 >= of && served * 4 < of * 3;
    match (is_wanted, background.on.is_some()) {
        (true, false) => background.switch_on(),
        (false, true) => background.switch_off().await,
        _ => Ok(()),
    }
}
