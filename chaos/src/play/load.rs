//! What an agent measures: the CPU of its simulated host.

use reveille_agent::load::{LoadError, Sample, Source};

use crate::world::Live;

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
        let world = self.live.enter();
        let host = &world.hosts()[self.host];
        Ok(Sample { cpu_percent: host.cpu_percent(), cores: host.cores, ..Sample::default() })
    }
}
