//! What an agent measures: the CPU of its simulated host.

use reveille_agent::load::{LoadError, Sample, Source};

use crate::{fault::kind, world::Live};

/// The load of one host of the world.
#[derive(Debug)]
pub struct HostLoad {
    live: Live,
    host: usize,
}

impl HostLoad {
    pub fn new(live: Live, host: usize) -> Self {
        Self { live, host }
    }
}

impl Source for HostLoad {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let mut world = self.live.enter();
        let lied_percent = world.faults.level(kind::LYING_LOAD, self.host);
        let host = &world.hosts()[self.host];
        let cpu_percent = lied_percent.unwrap_or(host.cpu_percent());
        Ok(Sample { cpu_percent, cores: host.cores, ..Sample::default() })
    }
}
