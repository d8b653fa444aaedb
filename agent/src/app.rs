//! All wiring: configuration -> build -> run -> drain.

use std::{collections::BTreeSet, io, net::SocketAddr, path::Path, time::Duration};

use axum::{Router, routing::get};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reveille_proto::{InstanceId, clock::Clock};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::{Config, ConfigError, CpuGroup, LoadSection},
    driver::{Target, TargetError},
    execute::{
        Book, Executor, Limits, Next, Parts,
        journal::{Journal, JournalError, JournalFile},
    },
    group::{Governor, GovernorParts, GroupError, Groups, Starts, Unmeasured},
    link::{Identity, Link, Session},
    load::{CpuMeter, LoadError, Reading, Sampler},
    metrics::Metrics,
    notify,
};

pub use self::seams::Seams;

/// How long an agent that is just ending may still hold the journal.
const LOCK_TRIES_MAX: u32 = 40;
const LOCK_TRY_MS: u64 = 50;

/// An agent that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("failed to use the configuration")]
    Config(#[from] ConfigError),
    #[error("failed to measure the load of this host")]
    Load(#[from] LoadError),
    #[error("failed to make the CPU groups that are required")]
    Group(#[source] GroupError),
    #[error("failed to open the journal")]
    Journal(#[from] JournalError),
    #[error("failed to prepare the drivers")]
    Target(#[from] TargetError),
    #[error("failed to listen on {address} for metrics")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("failed to go on: a part of the agent ended")]
    Part(#[source] Option<tokio::task::JoinError>),
}

/// Ready to run.
#[derive(Debug)]
pub struct Agent {
    executor: Executor,
    sampler: Sampler,
    link: Link,
    governor: Option<Governor>,
    metrics: Metrics,
    listener: Option<TcpListener>,
    stop: CancellationToken,
    writer: JoinHandle<()>,
}

impl Agent {
    /// Opens the journal, measures for the first time, binds the port of the metrics. Nothing is woken yet.
    pub async fn build(config: Config, seams: Seams) -> Result<Self, AgentError> {
        let Seams { clock, load, seed, starts, groups, points, waits, dial, carrier } = seams;
        config.check()?;
        let (host, state_dir, instances) =
            (config.host_id()?, config.state_dir()?, config.listed_instances()?);
        let mut rng = StdRng::seed_from_u64(seed);
        // Time and chance: the same seed at another time is another journal.
        let journal_id = format!("{:x}-{:016x}", clock.now().as_millisecond(), rng.next_u64());
        let (file, book) = open_journal(&state_dir, &journal_id, &clock).await?;
        let starts = starts.unwrap_or_else(|| measured_by(groups.as_ref()));
        if let Some(groups) = &groups {
            groups.adopt(&going_on(&book));
        }
        let LoadSection { smoothing_s, interval_ms, cgroup } = config.load;
        let mut sampler = Sampler::new(clock.clone(), load, starts, smoothing_s, interval_ms);
        let cores = sampler.first().await?.sample.cores;
        let metrics = Metrics::default();
        metrics.journal_bad_lines.inc_by(file.bad_lines());
        let targets =
            Target::all(&instances, &config.endpoints, &state_dir, &clock, groups.as_ref(), carrier)?;
        let listener = listen(config.metrics.listen).await?;
        let identity = Identity {
            host: host.clone(),
            host_class: config.host_class,
            zone: config.zone,
            cores,
            journal_id: file.id().to_owned(),
        };
        log_start(&identity, &state_dir, instances.iter().map(|instance| &instance.id));
        let stop = CancellationToken::new();
        let (journal, writer) = Journal::start(file, points.clone(), waits);
        let wakes_max = config.guard.wakes_max.unwrap_or_else(|| wakes_max_default(cores, groups.is_some()));
        let executor = Executor::new(Parts {
            clock: clock.clone(),
            host,
            targets,
            journal,
            book,
            limits: Limits {
                cpu_ceiling_percent: config.guard.cpu_ceiling_percent,
                wakes_max,
                stopped: false,
            },
            load: sampler.readings(),
            tally: sampler.tally(),
            metrics: metrics.clone(),
            stop: stop.clone(),
            points,
        });
        let governor = match groups {
            None => None,
            Some(groups) => Some(governor(&clock, groups, &executor, &config.cpu_group, cgroup.as_deref())?),
        };
        let session = Session {
            clock,
            controller: config.controller,
            identity,
            executor: executor.clone(),
            load: sampler.readings(),
            tally: sampler.tally(),
            metrics: metrics.clone(),
            dial,
        };
        let link = Link::new(session, rng.next_u64());
        Ok(Self { executor, sampler, link, governor, metrics, listener, stop, writer })
    }

    /// Where `/metrics` is served.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// Runs until `shutdown`. Wakes in hand are then left to the journal: the next agent goes on with them.
    ///
    /// Dropping the future does the same at the next await of each task: for the journal it is a crash.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let Self { executor, sampler, link, governor, metrics, listener, stop, writer } = self;
        let _stop_when_dropped = stop.clone().drop_guard();
        executor.resume();
        let mut parts = JoinSet::new();
        if let Some(listener) = listener {
            parts.spawn(serve_metrics(listener, metrics, sampler.readings()));
        }
        if let Some(governor) = governor {
            parts.spawn(governor.run());
        }
        parts.spawn(sampler.run());
        parts.spawn(link.run());
        parts.spawn(notify::watchdog());
        notify::ready();
        let end = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            ended = parts.join_next() => Err(AgentError::Part(ended.and_then(Result::err))),
        };
        notify::stopping();
        info!(active_wakes = executor.active(), "stopping; wakes in hand stay in the journal");
        stop.cancel();
        parts.shutdown().await;
        executor.drained().await;
        drop(executor);
        // With the last sender gone the writer ends, and the journal is free for the next agent.
        let _ = writer.await;
        end
    }
}

/// One per core; two where a CPU group holds starts under the ceiling anyway, so that none of it is left unused while one
/// start gives way to the next.
fn wakes_max_default(cores: f64, is_capped: bool) -> u32 {
    let per_core = if is_capped { 2.0 } else { 1.0 };
    ((per_core * cores) as u32).max(1)
}

fn measured_by(groups: Option<&Groups>) -> Box<dyn Starts> {
    match groups {
        Some(groups) => Box::new(groups.starts()),
        None => Box::new(Unmeasured),
    }
}

/// Instances whose wake the journal says is not over.
fn going_on(book: &Book) -> BTreeSet<InstanceId> {
    let left = book.entries().filter(|entry| entry.next() != Next::Over);
    left.map(|entry| entry.order.instance.clone()).collect()
}

fn governor(
    clock: &Clock,
    groups: Groups,
    executor: &Executor,
    section: &CpuGroup,
    cgroup: Option<&str>,
) -> Result<Governor, LoadError> {
    let executor = executor.clone();
    Ok(Governor::new(GovernorParts {
        clock: clock.clone(),
        groups,
        host: CpuMeter::new(Path::new("/"), cgroup)?,
        cpu_ceiling_percent: Box::new(move || executor.limits().cpu_ceiling_percent),
        interval_ms: section.interval_ms,
    }))
}

/// An agent that is just ending is waited for.
async fn open_journal(
    state_dir: &Path,
    new_id: &str,
    clock: &Clock,
) -> Result<(JournalFile, Book), AgentError> {
    for _ in 1..LOCK_TRIES_MAX {
        match JournalFile::open(state_dir, new_id, clock.now()) {
            Err(JournalError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(LOCK_TRY_MS)).await,
            other => return Ok(other?),
        }
    }
    Ok(JournalFile::open(state_dir, new_id, clock.now())?)
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, AgentError> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| AgentError::Listen { address, source })
}

async fn serve_metrics(listener: TcpListener, metrics: Metrics, load: watch::Receiver<Option<Reading>>) {
    let text = move || {
        if let Some(Reading { sample, .. }) = *load.borrow() {
            metrics.cpu_percent.set(sample.cpu_percent);
        }
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        std::future::ready(([(axum::http::header::CONTENT_TYPE, kind)], metrics.text()))
    };
    let router = Router::new().route("/metrics", get(text)).route("/livez", get(async || "ok"));
    if let Err(error) = axum::serve(listener, router).await {
        warn!(%error, "metrics are no longer served");
    }
}

fn log_start<'a>(identity: &Identity, state_dir: &Path, instances: impl Iterator<Item = &'a InstanceId>) {
    info!(
        host_id = %identity.host,
        cores = identity.cores,
        state_dir = %state_dir.display(),
        instances = instances.count(),
        "the agent is ready"
    );
}

mod seams;
#[cfg(test)]
mod tests;
