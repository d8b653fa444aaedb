//! One database after the other: everything due at once, then one after the other; and the usual job loop beside.

use std::{collections::BTreeMap, io, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use reveille_proto::WakeId;
use tokio_util::sync::CancellationToken;

use super::{QueueBench, QueueRow, arena::Arena};
use crate::{
    cli::bench::{
        BenchError,
        args::{Databases, QueueArgs},
    },
    postgres::Server,
    store::{DatabaseUrl, SkipLocked},
    tasks::{self, Dispatch, Lead, Mirror, Task},
};

/// The job loop is measured with each, and the best counts.
const PEER_WORKERS: [u32; 3] = [1, 4, 16];
/// How long after the queue is full the first of the later ones comes due.
const LATER_IN: SignedDuration = SignedDuration::from_secs(3);
/// Longer than any wake may take to be sent.
const PATIENCE: Duration = Duration::from_secs(300);

pub(in crate::cli::bench) fn measure(args: &QueueArgs) -> Result<QueueBench, BenchError> {
    let started = |what| move |source: io::Error| BenchError::Start { what, source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(started("start a runtime"))?;
    // A private server is as durable as any: what is compared is what reaches the disk.
    let server = match &args.postgres_url {
        Some(_) => None,
        None => Server::start(true).map_err(started("start a PostgreSQL server"))?,
    };
    let url = args.postgres_url.clone().or_else(|| server.as_ref().map(|server| server.url("postgres")));
    let measured = runtime.block_on(both(args, url.map(DatabaseUrl::new)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    measured
}

async fn both(args: &QueueArgs, server: Option<DatabaseUrl>) -> Result<QueueBench, BenchError> {
    let mut bench =
        QueueBench { hosts: args.hosts, wakes: args.wakes, backends: Vec::new(), skipped: Vec::new() };
    let peer = if let Some(url) = &server {
        Some(peer(args, url).await?)
    } else {
        bench.skipped.push("PostgreSQL, and the job loop on it (it is not installed here)".into());
        None
    };
    if args.database != Databases::Postgres {
        bench.backends.push(one("sqlite", args, None, peer).await?);
    }
    if let Some(url) = server.as_ref().filter(|_| args.database != Databases::Sqlite) {
        bench.backends.push(one("postgres", args, Some(url), peer).await?);
    }
    Ok(bench)
}

/// The best rate of the job loop, and with how many workers.
async fn peer(args: &QueueArgs, url: &DatabaseUrl) -> Result<(f64, u32), BenchError> {
    let bar = progress("job loop");
    let mut best = (0.0, 0);
    for workers in PEER_WORKERS {
        bar.set_message(format!("job loop, {workers} workers"));
        let peer = SkipLocked::fill(url, args.wakes, args.hosts).await?;
        let rate = peer.jobs_per_s(workers, Duration::from_secs(args.peer_s.into())).await?;
        if rate > best.0 {
            best = (rate, workers);
        }
    }
    bar.finish_and_clear();
    Ok(best)
}

async fn one(
    backend: &'static str,
    args: &QueueArgs,
    database: Option<&DatabaseUrl>,
    peer: Option<(f64, u32)>,
) -> Result<QueueRow, BenchError> {
    let dir = tempfile::tempdir().map_err(|source| BenchError::Start { what: "make a directory", source })?;
    let bar = progress(backend);
    bar.set_message(format!("{backend}: hosts"));
    let each = (args.wakes + args.later).div_ceil(args.hosts);
    let mut arena = Arena::open(dir.path(), database, (args.hosts, each), &bar).await?;
    let mut dispatch = Dispatch::new(arena.shared.clone());
    // Levers that nobody reads would close all gates where there may be other controllers.
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn(tasks::run(Lead::new(arena.shared.clone()), arena.shared.clone(), |_| None, shutdown));
    bar.set_message(format!("{backend}: everything due at once"));
    let due = std::iter::repeat_n(arena.shared.clock.now(), args.wakes as usize);
    arena.queue(due, &bar).await?;
    let began = tokio::time::Instant::now();
    arena.mirror().await?;
    let load_s = began.elapsed().as_secs_f64();
    arena.load();
    let began = tokio::time::Instant::now();
    dispatch.activate().await?;
    wait_for(&arena, args.wakes as usize).await?;
    let decisions_per_s = f64::from(args.wakes) / began.elapsed().as_secs_f64();
    bar.set_message(format!("{backend}: one after the other"));
    let late_ms = later(&mut arena, dispatch, args, &bar).await?;
    bar.finish_and_clear();
    let at = |share: f64| late_ms[((late_ms.len() - 1) as f64 * share) as usize];
    Ok(QueueRow {
        backend,
        decisions_per_s,
        skip_locked_per_s: peer.map(|(rate, _)| rate),
        skip_locked_workers: peer.map(|(_, workers)| workers),
        ratio: peer.map(|(rate, _)| decisions_per_s / rate),
        due_to_sent_p50_ms: at(0.50),
        due_to_sent_p99_ms: at(0.99),
        load_s,
    })
}

/// Milliseconds from due to sent of wakes that come due one after the other, ascending; the dispatcher runs as it does in
/// a controller.
async fn later(
    arena: &mut Arena,
    dispatch: Dispatch,
    args: &QueueArgs,
    bar: &ProgressBar,
) -> Result<Vec<f64>, BenchError> {
    let first = arena.shared.clock.now()
        + LATER_IN
        // So long it takes to put them there.
        + SignedDuration::from_millis(i64::from(args.later) / 10);
    let gap_ns = 1_000_000_000 / i64::from(args.later_per_s);
    let due = (0..i64::from(args.later)).map(|n| first + SignedDuration::from_nanos(n * gap_ns));
    let due: Vec<Timestamp> = due.collect();
    let ids = arena.queue(due.iter().copied(), bar).await?;
    let due_at: BTreeMap<WakeId, Timestamp> = ids.into_iter().zip(due).collect();
    let before = arena.sent();
    arena.mirror().await?;
    arena.load();
    let shutdown = CancellationToken::new();
    let mirror = Mirror::new(arena.shared.clone());
    tokio::spawn(tasks::run(mirror, arena.shared.clone(), |_| None, shutdown.clone()));
    let running = tokio::spawn(tasks::run(
        dispatch,
        arena.shared.clone(),
        |shared| Some(&shared.signals.dispatch),
        shutdown.clone(),
    ));
    wait_for(arena, before + args.later as usize).await?;
    shutdown.cancel();
    running.await.ok();
    let sent = arena.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut late_ms: Vec<f64> = sent
        .iter()
        .filter_map(|(id, at)| Some(at.duration_since(*due_at.get(id)?).as_secs_f64() * 1000.0))
        .collect();
    late_ms.sort_by(f64::total_cmp);
    Ok(late_ms)
}

/// Until so many were sent. Hosts go on saying how loaded they are meanwhile.
async fn wait_for(arena: &Arena, wakes: usize) -> Result<(), BenchError> {
    let began = tokio::time::Instant::now();
    let mut loaded = began;
    while arena.sent() < wakes {
        if began.elapsed() > PATIENCE {
            return Err(BenchError::Unsent { wakes, sent: arena.sent() });
        }
        if loaded.elapsed() > Duration::from_secs(5) {
            arena.load();
            loaded = tokio::time::Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

fn progress(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.set_message(what.to_owned());
    bar
}
