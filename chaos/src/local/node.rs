//! Controllers and agents of a local world, each a process of its own that does not outlive the keeper of the world: the kernel
//! kills it with it, also where it is stopped.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::{FutureExt as _, future::BoxFuture};
use nix::{
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{Pid, getppid},
};
use reqwest::{Client, Request, Response};
use reveille_agent::{
    app::{Agent, Seams as AgentSeams},
    driver::{Carrier, Unanswered},
};
use reveille_controller::app::{App, Seams};
use reveille_proto::waits::Waits;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{desk, told::Told};
use crate::{
    play::{
        agents::{self, Reach},
        controller,
    },
    sim::stage::play_spec,
};

/// What a process of a local world is told on its command line; everything else is in the world's directory.
#[derive(Debug, Clone, Args)]
pub struct LocalArgs {
    /// The directory of the world.
    pub dir: PathBuf,
    /// Same seed, same draws of this process.
    #[arg(long)]
    pub seed: u64,
    /// The process that keeps the world, where it has started this one itself.
    #[arg(long)]
    pub keeper: Option<i32>,
    /// Of an agent: its host, from 0.
    #[arg(long, default_value_t = 0)]
    pub host: usize,
    /// Of an agent: it is the second one of its host.
    #[arg(long)]
    pub copy: bool,
}

impl LocalArgs {
    /// From now on the kernel kills this process when the keeper is gone, whatever state it is in.
    fn end_with_keeper(&self) -> anyhow::Result<()> {
        let Some(keeper) = self.keeper else { return Ok(()) };
        set_pdeathsig(Signal::SIGKILL).context("failed to ask for an end with the keeper")?;
        // It may have been gone before that.
        ensure!(getppid() == Pid::from_raw(keeper), "the keeper is gone");
        Ok(())
    }
}

/// Cancelled by SIGTERM.
fn told_to_stop() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, told) = (CancellationToken::new(), CancellationToken::new());
    let cancel = stop.clone();
    tokio::spawn(told.run_until_cancelled_owned(async move {
        terminate.recv().await;
        cancel.cancel();
    }));
    Ok(stop)
}

/// Runs until SIGTERM.
pub(crate) async fn controller(args: &LocalArgs) -> anyhow::Result<()> {
    args.end_with_keeper()?;
    let (dir, told) = (&args.dir, Told::read(&args.dir)?);
    let spec = play_spec(&told.plan, told.speed);
    let mut config = controller::config(&spec, &dir.join("controller"), &dir.join("access.log"));
    (config.listen.http, config.listen.grpc) = (told.http, told.grpc);
    config.check().context("failed to configure the controller")?;
    let waits = Waits::default().behind(desk::gate(told.desk.clone()));
    let seams = Seams { waits, ..Seams::new(told.clock(), args.seed) };
    let stop = told_to_stop().context("failed to listen for signals")?;
    let app = App::build(config, seams).await.context("failed to start the controller")?;
    app.run(stop).await.context("the controller failed")
}

/// Runs until SIGTERM.
pub(crate) async fn agent(args: &LocalArgs) -> anyhow::Result<()> {
    args.end_with_keeper()?;
    let (dir, told) = (&args.dir, Told::read(&args.dir)?);
    let spec = play_spec(&told.plan, told.speed);
    let links = if args.copy { &told.copy_links } else { &told.links };
    let link = links.get(args.host).context("there is no such host")?.to_string();
    let reach = Reach {
        link,
        token_file: dir.join("controller").join("agent.token"),
        endpoints: told.endpoints.to_string(),
        portal_token_file: Some(portal_token(dir)),
    };
    let mut config = agents::config(&spec, dir, &reach, args.host);
    let name = agent_name(args.host, args.copy);
    config.state_dir = Some(dir.join(&name));
    config.check().context("failed to configure the agent")?;
    let load = Box::new(desk::KeptLoad::new(told.desk.clone(), args.host, name));
    let carrier = Some(Arc::new(Hurried::new(told.speed)?) as Arc<dyn Carrier>);
    let seams = AgentSeams { carrier, ..AgentSeams::new(told.clock(), load, args.seed) };
    let stop = told_to_stop().context("failed to listen for signals")?;
    let agent = Agent::build(config, seams).await.context("failed to start the agent")?;
    agent.run(stop).await.context("the agent failed")
}

/// The name of an agent's process and of its directory.
pub(crate) fn agent_name(host: usize, is_copy: bool) -> String {
    format!("agent-{}{}", host + 1, if is_copy { "-copy" } else { "" })
}

/// Where the portal's token is.
pub(crate) fn portal_token(dir: &Path) -> PathBuf {
    dir.join("portal.token")
}

/// Sends requests over HTTP, as the agent itself would, with as much less patience as the world's clock is faster than ours.
#[derive(Debug)]
struct Hurried {
    client: Client,
    speed: f64,
}

impl Hurried {
    fn new(speed: f64) -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .no_proxy();
        Ok(Self { client: client.build()?, speed })
    }
}

impl Carrier for Hurried {
    fn carry(&self, mut request: Request) -> BoxFuture<'_, Result<Response, Unanswered>> {
        if let Some(patience) = request.timeout_mut() {
            // An answer takes a moment of this machine, however fast the world's clock is.
            *patience = patience.div_f64(self.speed).max(PATIENCE_MIN);
        }
        async move { Ok(self.client.execute(request).await?) }.boxed()
    }
}

/// What a request may take on a busy machine.
const PATIENCE_MIN: std::time::Duration = std::time::Duration::from_millis(500);
