//! How much memory this process has held at most.

use procfs::process::Process;

/// The high-water mark of the resident memory in bytes (`VmHWM`); `None` where the kernel does not say.
pub(super) fn resident_bytes_max() -> Option<u64> {
    let status = Process::myself().and_then(|process| process.status()).ok()?;
    status.vmhwm.map(|kib| kib * 1_024)
}
