//! What an agent measures: the CPU of its simulated host.

use reveille_agent::load::{LoadError, Sample, Source};

use crate::{
    experiment::catalogue::{
        FaultKind,
        agent::{Lie, LyingLoad},
    },
    world::Live,
};

/// The load of one host of the world.
#[derive(Debug)]
pub struct HostLoad {
    live: Live,
    host: usize,
    /// An agent whose meter has never worked does not start at all.
    has_measured: bool,
}

impl HostLoad {
    pub fn new(live: Live, host: usize) -> Self {
        Self { live, host, has_measured: false }
    }
}

impl Source for HostLoad {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let mut world = self.live.enter();
        let lies = world.faults.on_host(LyingLoad::INFO.name, self.host);
        let lied_percent = lies.first().filter(|_| self.has_measured).map(|(what, _)| lied_percent(what));
        self.has_measured = true;
        let host = &world.hosts()[self.host];
        let cpu_percent = lied_percent.unwrap_or(host.cpu_percent());
        Ok(Sample { cpu_percent, cores: host.cores, ..Sample::default() })
    }
}

/// What a meter says that lies.
fn lied_percent(what: &FaultKind) -> f64 {
    let FaultKind::AgentLyingLoad(fault) = what else { return f64::NAN };
    match fault.says {
        Lie::Constant => 100.0 * fault.cpu,
        Lie::Nan => f64::NAN,
        Lie::Negative => -5.0,
        Lie::Absurd => 150.0,
    }
}
