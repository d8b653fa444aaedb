//! The outside observer: reads the kernel's counters once a second and knows nothing of who uses the CPU.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;

/// Ticks of `/proc/stat` in a second.
const TICKS_PER_S: f64 = 100.0;

/// Busy and all ticks of all cores, those that the machine's host gave to others, and how many cores there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    busy: u64,
    stolen: u64,
    all: u64,
    pub(super) cores: u32,
}

impl Stat {
    pub(super) fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("failed to read /proc/stat")?;
        let total = text.lines().next().context("/proc/stat is empty")?;
        // user nice system idle iowait irq softirq steal; guests are part of user.
        let ticks: Vec<u64> =
            total.split_whitespace().skip(1).take(8).map(|word| word.parse().unwrap_or(0)).collect();
        let all: u64 = ticks.iter().sum();
        let idle = ticks.get(3).copied().unwrap_or(0) + ticks.get(4).copied().unwrap_or(0);
        let is_core = |line: &&str| {
            line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let stolen = ticks.get(7).copied().unwrap_or(0);
        Ok(Self { busy: all - idle, stolen, all, cores: text.lines().filter(is_core).count() as u32 })
    }

    /// Share of all cores in use between two readings, 0-1; what was stolen is not free and counts as used.
    fn share_since(&self, before: &Self) -> f64 {
        self.busy.saturating_sub(before.busy) as f64 / self.ticks_since(before)
    }

    /// Share of all cores that was stolen between two readings, 0-1.
    fn stolen_since(&self, before: &Self) -> f64 {
        self.stolen.saturating_sub(before.stolen) as f64 / self.ticks_since(before)
    }

    fn ticks_since(&self, before: &Self) -> f64 {
        self.all.saturating_sub(before.all).max(1) as f64
    }
}

/// What the observer saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Share of all cores in use in each whole second.
    pub(super) shares: Vec<f64>,
    /// Share of all cores that was stolen, all in all.
    pub(super) stolen_share: f64,
}

impl Seen {
    /// Share of all cores in use, all in all.
    pub(super) fn mean(&self) -> f64 {
        self.shares.iter().sum::<f64>() / self.shares.len().max(1) as f64
    }
}

/// CPU seconds a process has used, those of its threads together.
pub(crate) fn cpu_s_of(pid: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces; what follows its bracket does not.
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).context("not a stat file")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS_PER_S)
}

/// One reading a second until it is stopped.
#[derive(Debug)]
pub(super) struct Observer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Seen>,
}

impl Observer {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: std::thread::spawn(move || observe(&stopped)) }
    }

    pub(super) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

#[expect(clippy::disallowed_methods, reason = "an observer of real time is what this is")]
fn observe(stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let Ok(first) = Stat::read() else { return seen };
    let (mut before, began) = (first, std::time::Instant::now());
    while !stop.load(Ordering::Relaxed) {
        // By the clock, so that no second grows by what looking costs.
        let next = Duration::from_secs(seen.shares.len() as u64 + 1);
        std::thread::sleep(next.saturating_sub(began.elapsed()));
        let Ok(now) = Stat::read() else { return seen };
        seen.shares.push(now.share_since(&before));
        seen.stolen_share = now.stolen_since(&first);
        before = now;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_burns_is_seen() {
        let before = (Stat::read().expect("readable"), cpu_s_of(std::process::id()).expect("readable"));
        let mut state = 1u64;
        let after = loop {
            for _ in 0..1_000_000 {
                state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
            let used = cpu_s_of(std::process::id()).expect("readable") - before.1;
            if used > 0.2 {
                break Stat::read().expect("readable");
            }
        };
        assert!(after.share_since(&before.0) > 0.0 && after.cores > 0);
    }
}
