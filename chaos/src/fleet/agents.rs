//! The agents' process: so many agents, and a line of counts ten times a second on standard output.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::{SeedableRng, rngs::StdRng};
use reveille_agent::link::Backoff;
use reveille_proto::clock::Clock;
use tokio::time::Instant;

use super::{
    agent::{SimulatedAgent, endpoint},
    tally::Tally,
};

/// The agent's default of `controller.reconnect_backoff_max_s`.
const BACKOFF_MAX_S: u64 = 30;
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// How many agents, and of whom.
#[derive(Debug, Clone, clap::Args)]
pub struct AgentsSpec {
    pub controller: SocketAddr,
    /// File with the agents' token.
    pub token: PathBuf,
    pub agents: u32,
    /// Instances each agent lists.
    pub instances: u32,
    /// The agents start spread over so many seconds.
    pub ramp_s: u32,
    /// File with the authority of the controller's certificate, where it speaks TLS.
    #[arg(long)]
    pub ca: Option<PathBuf>,
}

/// Runs until standard output is closed, which happens however the bench ends.
pub async fn run_agents(spec: &AgentsSpec) -> anyhow::Result<()> {
    allow_files().context("failed to raise the number of open files")?;
    let token = std::fs::read_to_string(&spec.token).context("failed to read the agents' token")?;
    let token = format!("Bearer {}", token.trim()).parse().context("the agents' token is no header")?;
    let endpoint = endpoint(spec.controller, spec.ca.as_deref())?;
    let (tally, origin) = (Arc::new(Tally::default()), Instant::now());
    for number in 0..spec.agents {
        let share = f64::from(number) / f64::from(spec.agents);
        let agent = SimulatedAgent {
            number,
            instances: spec.instances,
            phase: Duration::from_secs_f64(share),
            endpoint: endpoint.clone(),
            token: Clone::clone(&token),
            tally: tally.clone(),
            clock: Clock::system(),
        };
        let starts_at = origin + Duration::from_secs(spec.ramp_s.into()).mul_f64(share);
        let rng = StdRng::seed_from_u64(number.into());
        tokio::spawn(async move {
            tokio::time::sleep_until(starts_at).await;
            agent.run(Backoff::new(BACKOFF_MAX_S), rng, origin).await;
        });
    }
    let mut turns = tokio::time::interval(TOLD_EVERY);
    loop {
        turns.tick().await;
        let line = serde_json::to_string(&tally.tick(origin.elapsed().as_millis() as u64))?;
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
}

/// Every session is an open file: as many as the system allows.
pub(super) fn allow_files() -> anyhow::Result<u64> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(most)
}
