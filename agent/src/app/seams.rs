//! Where the world comes in, and what it is in production.

use std::{fmt, path::Path, sync::Arc};

use reveille_proto::{clock::Clock, points::Points, waits::Waits};
use tracing::info;

use super::AgentError;
use crate::{
    chain::Chain,
    config::{Config, CpuGroupMode, Driver},
    driver::Carrier,
    group::{Groups, Starts},
    link::Dial,
    load::{HostSource, Source},
};

/// Where the world comes in: time, load and chance.
pub struct Seams {
    pub clock: Clock,
    pub load: Box<dyn Source>,
    pub seed: u64,
    /// What instances use; where none is given, what their CPU groups say, if there are any.
    pub starts: Option<Box<dyn Starts>>,
    /// Where processes start.
    pub groups: Option<Groups>,
    /// Who is told of the points that are passed.
    pub points: Points,
    /// How the journal's disk is waited for.
    pub waits: Waits,
    /// How the controller is reached; where none is given, over TCP.
    pub dial: Option<Dial>,
    /// How endpoints and instances are reached; where none is given, over HTTP.
    pub carrier: Option<Arc<dyn Carrier>>,
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams").field("clock", &self.clock).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Seams {
    /// Only the whole host is measured, and nothing is capped.
    pub fn new(clock: Clock, load: Box<dyn Source>, seed: u64) -> Self {
        Self {
            clock,
            load,
            seed,
            starts: None,
            groups: None,
            points: Points::default(),
            waits: Waits::default(),
            dial: None,
            carrier: None,
        }
    }

    /// The system's clock, the kernel's counters and CPU groups, a seed from the operating system.
    pub fn production(config: &Config) -> Result<Self, AgentError> {
        use std::hash::{BuildHasher, RandomState};
        let load = HostSource::new(Path::new("/"), config.load.cgroup.as_deref())?;
        // The standard library seeds its hasher from the operating system.
        let seed = RandomState::new().hash_one(std::process::id());
        Ok(Self { groups: groups(config)?, ..Self::new(Clock::system(), Box::new(load), seed) })
    }
}

/// CPU groups where they are wanted and can be had.
fn groups(config: &Config) -> Result<Option<Groups>, AgentError> {
    let mode = config.cpu_group.mode;
    let is_process = |driver: &Driver| matches!(driver, Driver::Process(_));
    // Other drivers start nothing on this host that could be put into a group.
    if mode == CpuGroupMode::Off || !config.listed_instances()?.iter().any(|i| is_process(&i.driver)) {
        return Ok(None);
    }
    let is_required = mode == CpuGroupMode::Required;
    match Groups::open(Path::new("/"), config.cpu_group.base.as_deref(), &config.host_id()?, is_required) {
        Ok(groups) => Ok(Some(groups)),
        Err(error) if is_required => Err(AgentError::Group(error)),
        Err(error) => {
            info!(reason = %Chain(&error), "there is no CPU group here: instances start without a cap");
            Ok(None)
        }
    }
}
