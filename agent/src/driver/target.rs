//! The listed instances with what it takes to wake them.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};

use reveille_proto::{InstanceId, clock::Clock};

use super::{
    Carrier, Driver, Platform, Probe, caller::Caller, endpoint::Breakers, http::HttpDriver,
    process::ProcessDriver, readiness, status::HttpStatus,
};
use crate::{config, group::Groups};

/// All the agent may wake.
pub type Targets = BTreeMap<InstanceId, Target>;

/// One listed instance.
pub struct Target {
    pub cohort: String,
    /// Kind of driver, for the inventory.
    pub kind: &'static str,
    pub driver: Box<dyn Driver>,
    pub probe: Box<dyn Probe>,
    /// Who knows more of it than it says itself.
    pub platform: Option<Box<dyn Platform>>,
    /// Looks in a row that count as serving.
    pub successes: u32,
    /// Between two looks.
    pub interval: Duration,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("kind", &self.kind)
            .field("successes", &self.successes)
            .finish_non_exhaustive()
    }
}

/// A driver that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("failed to build an HTTP client")]
    Client(#[from] reqwest::Error),
    #[error("failed to create {}", dir.display())]
    Dir { dir: std::path::PathBuf, source: std::io::Error },
}

impl Target {
    /// From the configuration, the drivers of which keep what they must remember in `state_dir`. Processes start in
    /// `groups`, and requests leave by the `carrier` where there is one.
    pub fn all(
        instances: &[config::Instance],
        endpoints: &config::Endpoints,
        state_dir: &Path,
        clock: &Clock,
        groups: Option<&Groups>,
        carrier: Option<Arc<dyn Carrier>>,
    ) -> Result<Targets, TargetError> {
        let caller = Caller::new(carrier)?;
        let mut breakers = Breakers::new(endpoints);
        let pid_dir = state_dir.join("pids");
        std::fs::create_dir_all(&pid_dir)
            .map_err(|source| TargetError::Dir { dir: pid_dir.clone(), source })?;
        let mut target = |instance: &config::Instance| {
            let driver: Box<dyn Driver> = match &instance.driver {
                config::Driver::Http(endpoint) => {
                    Box::new(HttpDriver::new(&caller, endpoint, clock, &mut breakers))
                }
                config::Driver::Process(process) => Box::new(ProcessDriver::new(
                    process.clone(),
                    &pid_dir,
                    &instance.id,
                    clock.clone(),
                    groups.cloned(),
                )),
            };
            let target = Self {
                cohort: instance.cohort.clone(),
                kind: instance.driver.kind(),
                driver,
                probe: readiness::probe(&caller, &instance.readiness),
                platform: instance
                    .status
                    .clone()
                    .map(|status| -> Box<dyn Platform> { Box::new(HttpStatus::new(caller.clone(), status)) }),
                successes: instance.readiness.successes(),
                interval: Duration::from_millis(instance.readiness.interval_ms()),
            };
            (instance.id.clone(), target)
        };
        Ok(instances.iter().map(&mut target).collect())
    }
}
