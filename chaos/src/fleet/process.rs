//! What a process has used and holds, by the kernel's own account.

use anyhow::Context as _;

use crate::machine::cpu_s_of;

/// CPU used since the start, and memory that is resident now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu_s: f64,
    pub(super) resident_bytes: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("process {pid} is over"))?;
        let resident_bytes = resident(&status).context("the kernel says nothing of resident memory")?;
        Ok(Self { cpu_s: cpu_s_of(pid)?, resident_bytes })
    }
}

/// Bytes of the line `VmRSS:     1234 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        assert_eq!(resident("Name:\tx\n"), None);
        let own = Usage::of(std::process::id()).expect("this process is there");
        assert!(own.resident_bytes > 100_000);
    }
}
