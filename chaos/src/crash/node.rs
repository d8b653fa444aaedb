//! This binary as one of the processes that are killed: `node controller|agent|endpoint ...`.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use reveille_agent::{
    app::{Agent, Seams},
    config::Config,
    load::{LoadError, Sample, Source},
};
use reveille_proto::clock::Clock;
use tokio_util::sync::CancellationToken;

use super::endpoint;
use crate::fleet::{AgentsSpec, run_agents};

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
        Node::Agent { config, seed } => agent(config, seed).await,
        Node::FleetAgents(spec) => run_agents(&spec).await,
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

async fn agent(config: PathBuf, seed: u64) -> anyhow::Result<()> {
    drop(tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).try_init());
    let config = Config::load(Some(&config)).context("failed to configure the agent")?;
    let seams = Seams::new(Clock::system(), Box::new(Calm), seed);
    let agent = Agent::build(config, seams).await.context("failed to start the agent")?;
    agent.run(CancellationToken::new()).await.context("the agent failed")
}

/// A host at 5 % of its CPU.
#[derive(Debug)]
struct Calm;

impl Source for Calm {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        Ok(Sample { cpu_percent: 5.0, cores: 64.0, ..Sample::default() })
    }
}
