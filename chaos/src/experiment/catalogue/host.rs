//! Faults of a host: others use it, starts cost more, memory is short, it is gone.

use super::kind::{EVERYWHERE, NOT_LOCAL};
use crate::experiment::file::Length;

faults! {
    /// Other load takes the host up and down in waves.
    CpuNoise = "host.cpu_noise",
    modes: EVERYWHERE, targets: [Host], hit: "a load sample above what the host would have had",
    {
        /// Lowest load, as a share of the host's CPU.
        low: f64 = 0.6, in 0.0..=1.0;
        /// Highest load, as a share of the host's CPU.
        high: f64 = 0.95, in 0.0..=1.0;
        /// Length of one wave.
        period: Length = Length::m(5), in Length::s(1)..=Length::h(6);
    }

    /// Other load takes a fixed share of the host.
    Stress = "host.stress",
    modes: EVERYWHERE, targets: [Host], hit: "a load sample above what the host would have had",
    {
        /// Share of the host's CPU.
        cpu: f64 = 0.5, in 0.0..=1.0;
    }

    /// Every boot costs more CPU than was learned.
    BootCost = "host.boot_cost",
    modes: EVERYWHERE, targets: [Host, Instance], hit: "a boot that cost more",
    {
        /// How many times more.
        factor: f64 = 3.0, in 1.0..=20.0;
    }

    /// Memory and disk are short: little CPU is used, and boots are slow.
    MemIo = "host.mem_io",
    modes: NOT_LOCAL, targets: [Host], hit: "a boot that was slowed down",
    {
        /// How many times longer boots take.
        boot_factor: f64 = 5.0, in 1.0..=100.0;
        /// Share of the time somebody waits for memory or disk, as the kernel's pressure tells it.
        pressure: f64 = 0.6, in 0.0..=1.0;
    }

    /// The host and all on it vanish, and come back when the fault ends.
    Loss = "host.loss",
    modes: EVERYWHERE, targets: [Host], hit: "a host that vanished",
    {
        /// Whether everything on it is asleep when it is back.
        comes_back_empty: bool = true, in ();
    }
}
