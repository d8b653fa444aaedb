//! What the processes of a local world are told: one file, which their keeper writes before it starts any.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use reveille_proto::clock::Clock;
use serde::{Deserialize, Serialize};

use crate::sim::Plan;

const FILE: &str = "installation.json";

/// The whole of an installation, as each of its processes needs to know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) plan: Plan,
    /// What the world's clock read at `began_ms`, in milliseconds since 1970 on this machine's.
    pub(crate) starts_at: Timestamp,
    pub(crate) began_ms: i64,
    /// Seconds of the world in one of ours.
    pub(crate) speed: f64,
    /// Where the controller listens, after each start.
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// Where agents reach the controller, by host; a second agent of a host has a way of its own.
    pub(crate) links: Vec<SocketAddr>,
    pub(crate) copy_links: Vec<SocketAddr>,
    /// Where wake endpoints and instances are.
    pub(crate) endpoints: SocketAddr,
    /// The keeper's own socket.
    pub(crate) desk: PathBuf,
}

impl Told {
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = dir.join(FILE);
        let text = serde_json::to_string(self)?;
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    pub(crate) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} says nothing", path.display()))
    }

    /// The world's clock: the same in every process, but for the milliseconds in which it is read.
    pub(crate) fn clock(&self) -> Clock {
        let passed_ms = Clock::system().now().as_millisecond() - self.began_ms;
        let passed = SignedDuration::from_secs_f64(passed_ms as f64 / 1_000.0 * self.speed);
        Clock::scaled(self.starts_at + passed, self.speed)
    }
}
