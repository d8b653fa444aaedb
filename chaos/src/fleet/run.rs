//! The bench from beginning to end: idle, all connected, minutes of reports, a restart, a database that hangs.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use reveille_controller::postgres::Server;
use tokio::time::Instant;

use super::{
    AgentsSpec, FleetBench,
    agents::allow_files,
    controller::Controller,
    followed::Followed,
    process::Usage,
    report::{Hang, Minute, Restart, WithTls},
    tally::{Tick, most_in_a_second},
};

/// Instances each agent lists and reports.
const INSTANCES: u32 = 20;
/// The agents start over so long: the first connecting is not what is measured.
const RAMP_S: u32 = 20;
/// After everything is started and after all are connected, before anything is measured.
const SETTLE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(300);
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(180);
const MINUTE: Duration = Duration::from_secs(60);
const HANG: Duration = Duration::from_secs(60);
/// Sessions that break so soon after the database is back are counted too.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Where the controller keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DatabaseChoice {
    /// A file of the controller's own; it cannot hang as a server can.
    Sqlite,
    /// A private PostgreSQL server.
    Postgres,
    /// PostgreSQL where it is installed.
    Auto,
}

/// What is measured.
#[derive(Debug, Clone)]
pub struct FleetSpec {
    /// The `reveille-chaos` binary, which is every process here.
    pub program: PathBuf,
    pub agents: u32,
    pub minutes: u32,
    pub database: DatabaseChoice,
    /// Minutes of the same with TLS, with a file as the database; 0 leaves it out.
    pub tls_minutes: u32,
}

/// Hears what goes on, how far it is, and how far it goes.
type Told<'a> = &'a mut (dyn FnMut(&'static str, u64, u64) + Send);

/// Runs the bench.
pub async fn bench(
    spec: &FleetSpec,
    told: &mut (dyn FnMut(&'static str, u64, u64) + Send),
) -> anyhow::Result<FleetBench> {
    let files = allow_files().context("failed to raise the number of open files")?;
    if files < u64::from(spec.agents) + 100 {
        bail!("a process may have {files} open files here: too few for {} sessions", spec.agents);
    }
    let (mut skipped, server) = (Vec::new(), server(spec.database)?);
    let url = server.as_ref().map(|server| server.url("postgres"));
    let plain = Measured::take(spec, Link { url: url.as_deref(), is_tls: false }, told).await?;
    let hang = match &server {
        Some(server) if plain.restart.reconnect_s.is_some() => {
            Some(hang(server, &plain.controller, &plain.agents, told).await?)
        }
        Some(_) => {
            skipped.push("the hanging database: not all agents came back after the restart".to_owned());
            None
        }
        None => {
            skipped.push(
                "the hanging database: only a PostgreSQL server can be stopped from outside".to_owned(),
            );
            None
        }
    };
    let Measured { idle, connect_s, minutes, begin, end, lasted_s, agents_cpu_s, restart, .. } = plain;
    let mut bench = FleetBench {
        agents: spec.agents,
        instances_per_agent: INSTANCES,
        database: if server.is_some() { "postgres" } else { "sqlite" },
        connect_s,
        idle_resident_bytes: idle.resident_bytes,
        loads_per_s: (end.loads - begin.loads) as f64 / lasted_s,
        loads_coalesced: end.coalesced - begin.coalesced,
        broken_while_measured: end.broken - begin.broken,
        agents_cpu_cores: agents_cpu_s / lasted_s,
        minutes,
        restart,
        hang,
        tls: None,
        skipped,
    };
    drop((plain.controller, plain.agents, server));
    if spec.tls_minutes == 0 {
        bench.skipped.push("the same with TLS: --tls-minutes is 0".to_owned());
        return Ok(bench);
    }
    let spec = FleetSpec { minutes: spec.tls_minutes, ..spec.clone() };
    let tls = Measured::take(&spec, Link { url: None, is_tls: true }, told).await?;
    bench.tls =
        Some(WithTls::new(spec.agents, tls.idle.resident_bytes, &tls.minutes, tls.restart, tls.broken()));
    Ok(bench)
}

/// How the controller is reached, and what it keeps its rows in.
#[derive(Debug, Clone, Copy)]
struct Link<'a> {
    /// Of a PostgreSQL database; without one it is a file.
    url: Option<&'a str>,
    is_tls: bool,
}

/// One controller with all its agents, from its start to after its restart.
struct Measured {
    idle: Usage,
    connect_s: f64,
    minutes: Vec<Minute>,
    begin: Tick,
    end: Tick,
    lasted_s: f64,
    agents_cpu_s: f64,
    restart: Restart,
    agents: Followed,
    controller: Controller,
    _dir: tempfile::TempDir,
}

impl Measured {
    async fn take(spec: &FleetSpec, link: Link<'_>, told: Told<'_>) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("failed to make a directory")?;
        told("the controller starts", 0, 1);
        let mut controller =
            Controller::start(&spec.program, dir.path(), spec.agents, link.url, link.is_tls).await?;
        tokio::time::sleep(SETTLE).await;
        let idle = controller.usage()?;
        let (mut agents, connect_s) = connect(spec, &controller, told).await?;
        tokio::time::sleep(SETTLE).await;
        let (begin, agents_begin) = (agents.now(), Usage::of(agents.pid()?)?);
        let minutes = minutes(spec, &controller, told).await?;
        let (end, agents_end) = (agents.now(), Usage::of(agents.pid()?)?);
        Ok(Self {
            idle,
            connect_s,
            minutes,
            begin,
            end,
            lasted_s: (end.at_ms - begin.at_ms) as f64 / 1000.0,
            agents_cpu_s: agents_end.cpu_s - agents_begin.cpu_s,
            restart: restart(spec, &mut controller, &mut agents, told).await?,
            agents,
            controller,
            _dir: dir,
        })
    }

    /// Sessions that broke while nothing was done to them.
    fn broken(&self) -> u64 {
        self.end.broken - self.begin.broken
    }
}

fn server(database: DatabaseChoice) -> anyhow::Result<Option<Server>> {
    let started = || Server::start(true).context("failed to start a PostgreSQL server");
    match database {
        DatabaseChoice::Sqlite => Ok(None),
        DatabaseChoice::Auto => started(),
        DatabaseChoice::Postgres => started()?.context("PostgreSQL is not installed here").map(Some),
    }
}

async fn connect(
    spec: &FleetSpec,
    controller: &Controller,
    told: Told<'_>,
) -> anyhow::Result<(Followed, f64)> {
    let agents = AgentsSpec {
        controller: controller.grpc,
        token: controller.token(),
        agents: spec.agents,
        instances: INSTANCES,
        ramp_s: RAMP_S,
        ca: controller.ca.clone(),
    };
    let (mut agents, began) = (Followed::start(&spec.program, &agents)?, Instant::now());
    let mut tell = |connected| told("the agents connect", connected, spec.agents.into());
    if !agents.all_welcomed(&Tick::default(), CONNECT_TIMEOUT, &mut tell).await? {
        bail!(
            "only {} of {} agents got a session in {CONNECT_TIMEOUT:?}",
            agents.now().connected(),
            spec.agents
        );
    }
    Ok((agents, began.elapsed().as_secs_f64()))
}

async fn minutes(spec: &FleetSpec, controller: &Controller, told: Told<'_>) -> anyhow::Result<Vec<Minute>> {
    let (began, mut before) = (Instant::now(), controller.usage()?);
    let (mut minutes, mut at) = (Vec::new(), began);
    for minute in 1..=spec.minutes {
        told("reports come in: minute", minute.into(), spec.minutes.into());
        tokio::time::sleep_until(began + MINUTE * minute).await;
        let (now, usage) = (Instant::now(), controller.usage()?);
        let cpu_cores = (usage.cpu_s - before.cpu_s) / now.duration_since(at).as_secs_f64();
        minutes.push(Minute { cpu_cores, resident_bytes: usage.resident_bytes });
        (before, at) = (usage, now);
    }
    Ok(minutes)
}

async fn restart(
    spec: &FleetSpec,
    controller: &mut Controller,
    agents: &mut Followed,
    told: Told<'_>,
) -> anyhow::Result<Restart> {
    let (begin, began) = (agents.now(), Instant::now());
    controller.restart().await?;
    let mut tell = |connected| told("killed and started again: back", connected, spec.agents.into());
    let are_back = agents.all_welcomed(&begin, RECONNECT_TIMEOUT, &mut tell).await?;
    let reconnect_s = are_back.then(|| began.elapsed().as_secs_f64());
    tokio::time::sleep(SETTLE).await;
    let (ticks, end) = (agents.since(&begin), agents.now());
    Ok(Restart {
        reconnect_s,
        hellos: end.hellos - begin.hellos,
        hellos_per_s_max: most_in_a_second(&ticks, |tick| tick.hellos),
        welcomes_per_s_max: most_in_a_second(&ticks, |tick| tick.welcomed),
        not_dialled: end.not_dialled - begin.not_dialled,
        not_welcomed: end.not_welcomed - begin.not_welcomed,
    })
}

async fn hang(
    server: &Server,
    controller: &Controller,
    agents: &Followed,
    told: Told<'_>,
) -> anyhow::Result<Hang> {
    told("the database hangs", 0, HANG.as_secs());
    let (begin, loads, began) = (agents.now(), controller.loads().await?, Instant::now());
    let hung = server.hang().context("failed to stop the database")?;
    for second in 1..=HANG.as_secs() {
        tokio::time::sleep_until(began + Duration::from_secs(second)).await;
        told("the database hangs", second, HANG.as_secs());
    }
    let taken = controller.loads().await.context("no figures while the database hangs")? - loads;
    let hang_s = began.elapsed().as_secs_f64();
    drop(hung);
    tokio::time::sleep(AFTERMATH).await;
    let end = agents.now();
    Ok(Hang {
        lasted_s: hang_s,
        loads_per_s: taken as f64 / hang_s,
        sessions_lost: end.broken - begin.broken,
        connected_after: end.connected(),
    })
}
