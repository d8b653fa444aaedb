//! The processes of a local world, and the sockets between them: started by the process that keeps the world, and gone with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use reveille_proto::{clock::Clock, waits::Gate};
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
    sync::watch,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    bridge, desk, door, node::agent_name, process::Process, running::Running, told::Told, wires::Wires,
    yard::Yard,
};
use crate::{
    crash::NODE,
    experiment::file::RunMode,
    net::Exchange,
    points::ports,
    sim::Plan,
    world::{Live, host_id, router},
};

/// How long a controller may take until it answers for the first time.
const START: Duration = Duration::from_secs(60);
/// Where a controller in a container listens.
const HTTP_AND_GRPC: [u16; 2] = [7411, 7412];
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
    /// Each controller and agent is a container of its own, on a network made for them.
    pub in_containers: bool,
}

impl LocalSpec {
    /// As experiment files name it.
    pub fn mode(&self) -> RunMode {
        if self.in_containers { RunMode::Container } else { RunMode::Local }
    }
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
    yard: Option<Yard>,
    /// Where the controller is reached: in a container another address, perhaps, after each start.
    controller_at: watch::Sender<SocketAddr>,
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
        let yard = if spec.in_containers { Some(Yard::open(&spec.program, dir).await?) } else { None };
        let on = yard.as_ref().map_or(Ipv4Addr::LOCALHOST, Yard::gateway);
        let [http, grpc] = match &yard {
            None => ports::addresses()?,
            Some(_) => HTTP_AND_GRPC.map(|port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
        };
        let desk = dir.join("desk");
        desk::serve(&desk, live.clone(), gate, stop.clone()).context("failed to listen for processes")?;
        let endpoints = door::serve(listen(on).await?, router(live.clone()), stop.clone())?;
        let controller_at = watch::Sender::new(grpc);
        bridge::outwards(exchange.listen(names.controller), controller_at.subscribe(), stop.clone());
        let wires = Wires::start(plan.seed, spec.speed, on.into(), stop);
        let (mut links, mut copy_links) = (Vec::new(), Vec::new());
        for host in 0..plan.hosts {
            let name = host_id(host).to_string();
            let behind = inwards(on, exchange, (name.clone(), names.tap), stop).await?;
            links.push(wires.lay(&name, behind).await?);
            copy_links.push(inwards(on, exchange, (format!("{name}{COPY}"), names.tap), stop).await?);
        }
        let (starts_at, began_ms) = (live.clock().now(), Clock::system().now().as_millisecond());
        let (plan, speed) = (plan.clone(), spec.speed);
        let told = Told { plan, starts_at, began_ms, speed, http, grpc, links, copy_links, endpoints, desk };
        told.write(dir)?;
        let (program, dir) = (spec.program.clone(), dir.to_owned());
        Ok(Self { program, dir, told, yard, controller_at, wires })
    }

    /// Every address of this machine that is listened on while the world is there.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let Told { http, grpc, links, copy_links, endpoints, .. } = &self.told;
        let of_controller = if self.yard.is_some() { Vec::new() } else { vec![*http, *grpc] };
        links.iter().chain(copy_links).chain([endpoints]).chain(&of_controller).copied().collect()
    }

    pub(crate) async fn start_controller(&self, now: Timestamp) -> anyhow::Result<Running> {
        let running = self.node("controller", "local-controller", now, &[]).await?;
        if let (Some(yard), Running::Container(member)) = (&self.yard, &running) {
            let at = SocketAddr::new(yard.address(member).await?.into(), self.told.grpc.port());
            self.controller_at.send_replace(at);
        }
        Ok(running)
    }

    pub(crate) async fn start_agent(
        &self,
        host: usize,
        is_copy: bool,
        now: Timestamp,
    ) -> anyhow::Result<Running> {
        let host_text = host.to_string();
        let mut args = vec!["--host", &host_text];
        if is_copy {
            args.push("--copy");
        }
        self.node(&agent_name(host, is_copy), "local-agent", now, &args).await
    }

    async fn node(&self, name: &str, kind: &str, now: Timestamp, args: &[&str]) -> anyhow::Result<Running> {
        // A new start draws anew: the time is in it.
        let seed = (self.told.plan.seed ^ now.as_millisecond().unsigned_abs()).to_string();
        let dir = self.dir.to_string_lossy();
        let mut all = vec![NODE, kind, &dir, "--seed", &seed];
        all.extend(args);
        if let Some(yard) = &self.yard {
            return Ok(Running::Container(Box::new(yard.start(name, &all).await?)));
        }
        let keeper = std::process::id().to_string();
        let mut command = Command::new(&self.program);
        command.args(all).args(["--keeper", &keeper]);
        Process::start(name, command, &self.dir.join(format!("{name}.log")))
            .map(|process| Running::Process(Box::new(process)))
    }

    /// Waits until the controller answers, which is when it has made its tokens.
    pub(crate) async fn controller_answers(&self, controller: &mut Running) -> anyhow::Result<()> {
        let (began, log) = (Instant::now(), self.dir.join("controller.log"));
        while TcpStream::connect(self.controller_at()).await.is_err() {
            if controller.has_ended().await || began.elapsed() > START {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                bail!("the controller does not answer: {}", last.join(" | "));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Where the controller is now.
    pub(crate) fn controller_at(&self) -> SocketAddr {
        *self.controller_at.borrow()
    }

    /// Where its pages are.
    pub(crate) fn pages_at(&self) -> SocketAddr {
        SocketAddr::new(self.controller_at().ip(), self.told.http.port())
    }

    /// Removes what the kernel does not remove with this process.
    ///
    /// # Errors
    /// When something is left.
    pub(crate) async fn clear(self) -> anyhow::Result<()> {
        match self.yard {
            Some(yard) => yard.clear().await,
            None => Ok(()),
        }
    }
}

async fn listen(on: Ipv4Addr) -> anyhow::Result<TcpListener> {
    TcpListener::bind((on, 0)).await.with_context(|| format!("no port of {on} is free"))
}

async fn inwards(
    on: Ipv4Addr,
    exchange: &Exchange,
    (caller, name): (String, &'static str),
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = listen(on).await?;
    let address = listener.local_addr()?;
    bridge::inwards(listener, exchange.clone(), (caller, name), stop.clone());
    Ok(address)
}
