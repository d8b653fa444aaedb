//! Pressure: the share of time in which tasks were stalled, by the kernel's own account (PSI).

use std::{fs::File, io::BufReader, path::Path};

use procfs::get_pressure;

/// PSI "some", 0-100: avg10, and avg60 with a 60 in its name.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pressures {
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
    pub io_percent: Option<f64>,
    pub cpu60_percent: Option<f64>,
    pub memory60_percent: Option<f64>,
    pub io60_percent: Option<f64>,
}

impl Pressures {
    /// Reads the three files, named by `name("cpu")` and so on; `None` where the kernel keeps none of them.
    pub(super) fn read(name: impl Fn(&str) -> std::path::PathBuf) -> Option<Self> {
        let [cpu, memory, io] = ["cpu", "memory", "io"].map(|kind| some(&name(kind)));
        let all = Self {
            cpu_percent: cpu.map(|(avg10, _)| avg10),
            memory_percent: memory.map(|(avg10, _)| avg10),
            io_percent: io.map(|(avg10, _)| avg10),
            cpu60_percent: cpu.map(|(_, avg60)| avg60),
            memory60_percent: memory.map(|(_, avg60)| avg60),
            io60_percent: io.map(|(_, avg60)| avg60),
        };
        (all != Self::default()).then_some(all)
    }
}

/// avg10 and avg60.
fn some(path: &Path) -> Option<(f64, f64)> {
    let (some, _full) = get_pressure(BufReader::new(File::open(path).ok()?)).ok()?;
    let percent = |average: f32| f64::from(average).clamp(0.0, 100.0);
    Some((percent(some.avg10), percent(some.avg60)))
}
