//! Pressure: the share of time in which tasks were stalled, by the kernel's own account (PSI).

use std::{fs::File, io::BufReader, path::Path};

use procfs::get_pressure;

/// PSI "some" avg10, 0-100.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pressures {
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
    pub io_percent: Option<f64>,
}

impl Pressures {
    /// Reads the three files, named by `name("cpu")` and so on; `None` where the kernel keeps none of them.
    pub(super) fn read(name: impl Fn(&str) -> std::path::PathBuf) -> Option<Self> {
        let [cpu, memory, io] = ["cpu", "memory", "io"].map(|kind| some_avg10(&name(kind)));
        let all = Self { cpu_percent: cpu, memory_percent: memory, io_percent: io };
        (all != Self::default()).then_some(all)
    }
}

fn some_avg10(path: &Path) -> Option<f64> {
    let (some, _full) = get_pressure(BufReader::new(File::open(path).ok()?)).ok()?;
    Some(f64::from(some.avg10).clamp(0.0, 100.0))
}
