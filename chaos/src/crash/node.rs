//! This binary as one of the processes that are killed: `node controller|agent|endpoint ...`.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use reveille_agent::{
    app::{Agent, Seams as AgentSeams},
    config::Config,
    load::{LoadError, Sample, Source},
};
use reveille_controller::app::{App, Seams};
use reveille_proto::clock::Clock;
use tokio_util::sync::CancellationToken;

use super::endpoint;
use crate::{
    fleet::{AgentsSpec, run_agents},
    local::{self, LocalArgs},
    points::PointArgs,
};

/// The first argument of a node; not part of the published command line.
pub const NODE: &str = "node";

#[derive(Debug, Parser)]
enum Node {
    /// The controller as `reveille serve` runs it.
    Controller {
        config: PathBuf,
    },
    /// An agent on a host that is never busy: what is measured here are crashes, not this machine's load.
    Agent {
        config: PathBuf,
        seed: u64,
    },
    /// The agent as `reveille-agent` runs it, measuring this machine.
    HostAgent {
        config: PathBuf,
    },
    /// Thousands of agents that wake nothing.
    FleetAgents(AgentsSpec),
    /// The controller, telling its points, on the clock of the course.
    PointController {
        config: PathBuf,
        seed: u64,
        #[command(flatten)]
        points: PointArgs,
    },
    /// As `Agent`, telling its points, on the clock of the course.
    PointAgent {
        config: PathBuf,
        seed: u64,
        #[command(flatten)]
        points: PointArgs,
    },
    /// The controller of a local world.
    LocalController(LocalArgs),
    /// An agent of a local world.
    LocalAgent(LocalArgs),
    Endpoint {
        name: String,
        listen: SocketAddr,
        effects: PathBuf,
        seed: u64,
    },
}

/// Runs as a node when asked to; `None` when this is the ordinary command line.
pub async fn main_if_node(args: &[OsString]) -> Option<ExitCode> {
    if args.get(1).is_none_or(|first| first != NODE) {
        return None;
    }
    Some(match Node::try_parse_from(&args[1..]) {
        Ok(node) => run(node).await,
        Err(error) => error.exit(),
    })
}

async fn run(node: Node) -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().ok();
    let ended = match node {
        Node::Controller { config } => {
            let args: [OsString; 4] = ["reveille".into(), "serve".into(), "--config".into(), config.into()];
            return reveille_controller::cli::main_with(args).await;
        }
        Node::HostAgent { config } => {
            let args: [OsString; 3] = ["reveille-agent".into(), "--config".into(), config.into()];
            return reveille_agent::cli::main_with(args).await;
        }
        Node::Agent { config, seed } => agent(config, seams(seed)).await,
        Node::PointController { config, seed, points } => point_controller(config, seed, &points).await,
        Node::PointAgent { config, seed, points } => match points.open() {
            Ok(told) => {
                let (clock, points) = (points.clock(), told);
                agent(config, AgentSeams { clock, points, ..seams(seed) }).await
            }
            Err(error) => Err(error.into()),
        },
        Node::FleetAgents(spec) => run_agents(&spec).await,
        Node::LocalController(args) => {
            log();
            local::controller(&args).await
        }
        Node::LocalAgent(args) => {
            log();
            local::agent(&args).await
        }
        Node::Endpoint { name, listen, effects, seed } => {
            endpoint::serve(&name, listen, &effects, seed).await
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn log() {
    drop(tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).try_init());
}

fn seams(seed: u64) -> AgentSeams {
    AgentSeams::new(Clock::system(), Box::new(Calm), seed)
}

async fn point_controller(config: PathBuf, seed: u64, points: &PointArgs) -> anyhow::Result<()> {
    log();
    let config = reveille_controller::config::Config::load(Some(&config));
    let config = config.context("failed to configure the controller")?;
    let seams = Seams { points: points.open()?, ..Seams::new(points.clock(), seed) };
    let app = App::build(config, seams).await.context("failed to start the controller")?;
    app.run(CancellationToken::new()).await.context("the controller failed")
}

async fn agent(config: PathBuf, seams: AgentSeams) -> anyhow::Result<()> {
    log();
    let config = Config::load(Some(&config)).context("failed to configure the agent")?;
    let agent = Agent::build(config, seams).await.context("failed to start the agent")?;
    agent.run(CancellationToken::new()).await.context("the agent failed")
}

/// A host at 5 % of its CPU.
#[derive(Debug)]
pub(crate) struct Calm;

impl Source for Calm {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        Ok(Sample { cpu_percent: 5.0, cores: 64.0, ..Sample::default() })
    }
}
