//! One real agent per host of the world: real link, real HTTP driver, the world's load.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use reveille_agent::{
    app::{Agent, Seams},
    config::{
        Addresses, Config, Driver, Endpoint, Expect, FromFile, HttpReadiness, Instance, Readiness,
        SecretText, Status, StatusWord,
    },
};
use reveille_proto::InstanceId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{PlaySpec, load::HostLoad};
use crate::world::{Live, host_id, instance_id};

/// Seconds of the world between two looks at a booting instance.
const READINESS_INTERVAL_MS: u64 = 5_000;
/// Seconds of the world between two measurements.
const LOAD_INTERVAL_MS: u64 = 5_000;

/// Where an agent of the world reaches the rest of it.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The authority of the controller's link, or of a tap on it.
    pub link: String,
    pub token_file: PathBuf,
    /// The authority of the world's wake endpoints.
    pub endpoints: String,
    /// Where the portal's token is; `None` where it asks for none, and is not asked how an instance is.
    pub portal_token_file: Option<PathBuf>,
}

/// The agents of a world, in this process.
#[derive(Debug)]
pub struct Agents(JoinSet<anyhow::Result<()>>);

impl Agents {
    pub async fn start(
        spec: &PlaySpec,
        dir: &Path,
        reach: &Reach,
        live: &Live,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut agents = JoinSet::new();
        for host in 0..spec.world.hosts {
            let config = config(spec, dir, reach, host);
            config.check().with_context(|| format!("failed to configure the agent of {}", host_id(host)))?;
            let load = Box::new(HostLoad::new(live.clone(), host));
            let seams = Seams::new(live.clock().clone(), load, spec.world.seed + host as u64);
            let agent = Agent::build(config, seams).await.context("failed to start an agent")?;
            let stop = stop.clone();
            agents.spawn(async move { agent.run(stop).await.context("an agent failed") });
        }
        Ok(Self(agents))
    }

    /// Waits until all have gone down after their token was cancelled.
    pub async fn stopped(mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.0.join_next().await {
            ended.context("an agent panicked")??;
        }
        Ok(())
    }
}

/// The agent of one host.
pub fn config(spec: &PlaySpec, dir: &Path, reach: &Reach, host: usize) -> Config {
    let mut config = Config {
        host_id: Some(host_id(host)),
        host_class: "simulated".into(),
        zone: format!("zone-{}", host + 1),
        state_dir: Some(dir.join(format!("agent-{}", host + 1))),
        ..Config::default()
    };
    config.controller.address = Addresses::new([format!("http://{}", reach.link)]);
    config.controller.token_file = Some(reach.token_file.clone());
    config.load.interval_ms = LOAD_INTERVAL_MS;
    let here = (0..spec.world.instances).filter(|i| spec.world.host_of(*i) == host);
    config.instances = here.map(|i| instance(instance_id(i), reach)).collect();
    config
}

/// The portal first, the instance's own address when the portal certainly did nothing.
fn instance(id: InstanceId, reach: &Reach) -> Instance {
    let endpoints = &reach.endpoints;
    let token = reach.portal_token_file.iter().map(|file| {
        let from_file = FromFile { from_file: file.clone() };
        ("Authorization".to_owned(), SecretText::File(from_file))
    });
    let fallback =
        Endpoint { url: format!("http://{endpoints}/i/{id}/wake?wake={{wake_id}}"), ..Endpoint::default() };
    let portal = Endpoint {
        url: format!("http://{endpoints}/portal/{id}/wake?wake={{wake_id}}"),
        headers: token.collect(),
        fallback: Some(Box::new(fallback)),
        ..Endpoint::default()
    };
    let serves = Expect { body_contains: Some(format!("instance {id}")), ..Expect::default() };
    let readiness = HttpReadiness {
        url: format!("http://{endpoints}/i/{id}/"),
        headers: BTreeMap::new(),
        expect: serves,
        successes: 1,
        interval_ms: READINESS_INTERVAL_MS,
        request_timeout_s: 5,
    };
    let (driver, readiness) = (Driver::Http(portal), Readiness::Http(readiness));
    let status = reach.portal_token_file.as_ref().map(|_| Status {
        url: format!("http://{endpoints}/portal/{id}/status"),
        headers: BTreeMap::new(),
        field: "/state".into(),
        values: [StatusWord::Awake, StatusWord::Asleep, StatusWord::Starting]
            .map(|word| (word.as_str().to_owned(), word))
            .into(),
        request_timeout_s: 5,
    });
    Instance { id, cohort: "dev".into(), driver, readiness, status }
}
