//! What an agent measures: the CPU of its simulated host.

use reveille_agent::load::{LoadError, Pressures, Sample, Source};

use crate::{
    experiment::catalogue::{
        FaultKind,
        agent::{FrozenLoad, Lie, LyingLoad},
        host::MemIo,
    },
    world::Live,
};

/// The load of one host of the world.
#[derive(Debug)]
pub struct HostLoad {
    live: Live,
    host: usize,
    /// An agent whose meter has never worked does not start at all.
    last: Option<Sample>,
}

impl HostLoad {
    pub fn new(live: Live, host: usize) -> Self {
        Self { live, host, last: None }
    }
}

impl Source for HostLoad {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let mut world = self.live.enter();
        if let Some(last) = self.last {
            let frozen = world.faults.on_host(FrozenLoad::INFO.name, self.host);
            match frozen.first() {
                // The sampler keeps what it has, with the time it has.
                Some((FaultKind::AgentFrozenLoad(fault), _)) if fault.old_time => {
                    return Err(LoadError::TooSoon);
                }
                Some(_) => return Ok(last),
                None => {}
            }
        }
        let lies = world.faults.on_host(LyingLoad::INFO.name, self.host);
        let lied_percent = lies.first().filter(|_| self.last.is_some()).map(|(what, _)| lied_percent(what));
        let pressures = pressures(&world.faults.seen_on_host(MemIo::INFO.name, self.host));
        let host = &world.hosts()[self.host];
        let cpu_percent = lied_percent.unwrap_or(host.cpu_percent());
        let sample =
            Sample { cpu_percent, cores: host.cores, pressures: Some(pressures), ..Sample::default() };
        self.last = Some(sample);
        Ok(sample)
    }
}

/// What the kernel says of memory and disk: nobody waits for them, but for a fault.
fn pressures(faults: &[&FaultKind]) -> Pressures {
    let pressure = |fault: &&FaultKind| match fault {
        FaultKind::HostMemIo(fault) => 100.0 * fault.pressure,
        _ => 0.0,
    };
    let percent = Some(faults.iter().map(pressure).fold(0.0, f64::max));
    Pressures {
        memory_percent: percent,
        io_percent: percent,
        memory60_percent: percent,
        io60_percent: percent,
        ..Pressures::default()
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
