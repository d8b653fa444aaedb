//! What holds for all proxies of one server.

use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Same seed, same luck of every connection: jitter, slices, toxicity.
    pub seed: u64,
    /// Of faults that bring no lease of their own; none: they stay until somebody removes them.
    pub lease: Option<Duration>,
    /// Lets proxies listen elsewhere than on loopback.
    pub any_address: bool,
    /// Open connections of one proxy; further ones wait in the kernel.
    pub connections_max: u32,
}
