//! The processes of a local world, and the sockets between them: started by the process that keeps the world, and gone with it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use reveille_proto::{clock::Clock, waits::Gate};
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{bridge, desk, door, node::agent_name, process::Process, told::Told, wires::Wires};
use crate::{
    crash::NODE,
    net::Exchange,
    points::ports,
    sim::Plan,
    world::{Live, host_id, router},
};

/// How long a controller may take until it answers for the first time.
const START: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The second agent of a host is called by this on the exchange, behind the host's own name.
pub(crate) const COPY: &str = "-copy";

/// How a local world is set up.
#[derive(Debug, Clone)]
pub struct LocalSpec {
    /// The `reveille-chaos` binary that is started as every process.
    pub program: PathBuf,
    /// Seconds of the world in one of ours.
    pub speed: f64,
}

/// Who is called what on the exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    pub(crate) controller: &'static str,
    pub(crate) tap: &'static str,
}

/// Everything that is not a process of its own. Dropping it closes all sockets.
#[derive(Debug)]
pub(crate) struct Installation {
    program: PathBuf,
    dir: PathBuf,
    told: Told,
    pub(crate) wires: Wires,
}

/// What an installation is about.
pub(crate) struct Setting<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) live: &'a Live,
    pub(crate) exchange: &'a Exchange,
    pub(crate) gate: Gate,
    pub(crate) names: Names,
    pub(crate) stop: &'a CancellationToken,
}

impl Installation {
    /// Opens every socket of the world and writes what its processes have to know; none is started yet.
    pub(crate) async fn open(spec: &LocalSpec, dir: &Path, setting: Setting<'_>) -> anyhow::Result<Self> {
        let Setting { plan, live, exchange, gate, names, stop } = setting;
        let [http, grpc] = ports::addresses()?;
        let desk = dir.join("desk");
        desk::serve(&desk, live.clone(), gate, stop.clone()).context("failed to listen for processes")?;
        let endpoints = door::serve(loopback().await?, router(live.clone()), stop.clone())?;
        bridge::outwards(exchange.listen(names.controller), grpc, stop.clone());
        let wires = Wires::start(plan.seed, spec.speed, stop);
        let (mut links, mut copy_links) = (Vec::new(), Vec::new());
        for host in 0..plan.hosts {
            let name = host_id(host).to_string();
            let behind = inwards(exchange, name.clone(), names.tap, stop).await?;
            links.push(wires.lay(&name, behind).await?);
            copy_links.push(inwards(exchange, format!("{name}{COPY}"), names.tap, stop).await?);
        }
        let (starts_at, began_ms) = (live.clock().now(), Clock::system().now().as_millisecond());
        let (plan, speed) = (plan.clone(), spec.speed);
        let told = Told { plan, starts_at, began_ms, speed, http, grpc, links, copy_links, endpoints, desk };
        told.write(dir)?;
        Ok(Self { program: spec.program.clone(), dir: dir.to_owned(), told, wires })
    }

    /// Every address that is listened on while the world is there.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let Told { http, grpc, links, copy_links, endpoints, .. } = &self.told;
        links.iter().chain(copy_links).chain([http, grpc, endpoints]).copied().collect()
    }

    pub(crate) fn start_controller(&self, now: Timestamp) -> anyhow::Result<Process> {
        self.node("controller", "local-controller", now, &[])
    }

    pub(crate) fn start_agent(&self, host: usize, is_copy: bool, now: Timestamp) -> anyhow::Result<Process> {
        let host_text = host.to_string();
        let mut args = vec!["--host", &host_text];
        if is_copy {
            args.push("--copy");
        }
        self.node(&agent_name(host, is_copy), "local-agent", now, &args)
    }

    fn node(&self, name: &str, kind: &str, now: Timestamp, args: &[&str]) -> anyhow::Result<Process> {
        // A new start draws anew: the time is in it.
        let seed = self.told.plan.seed ^ now.as_millisecond().unsigned_abs();
        let mut command = Command::new(&self.program);
        command
            .args([NODE, kind])
            .arg(&self.dir)
            .args(["--seed", &seed.to_string(), "--keeper", &std::process::id().to_string()])
            .args(args);
        Process::start(name, command, &self.dir.join(format!("{name}.log")))
    }

    /// Waits until the controller answers, which is when it has made its tokens.
    pub(crate) async fn controller_answers(&self, controller: &mut Process) -> anyhow::Result<()> {
        let (began, log) = (Instant::now(), self.dir.join("controller.log"));
        while TcpStream::connect(self.told.grpc).await.is_err() {
            if controller.has_ended() || began.elapsed() > START {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                bail!("the controller does not answer: {}", last.join(" | "));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Where the controller listens.
    pub(crate) fn controller_address(&self) -> SocketAddr {
        self.told.grpc
    }
}

async fn loopback() -> anyhow::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await.context("no port is free")
}

async fn inwards(
    exchange: &Exchange,
    caller: String,
    name: &'static str,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = loopback().await?;
    let address = listener.local_addr()?;
    bridge::inwards(listener, exchange.clone(), (caller, name), stop.clone());
    Ok(address)
}
