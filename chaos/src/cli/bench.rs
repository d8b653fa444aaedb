//! `bench`.

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use reveille_controller::report::plot::Format;
use tokio_util::sync::CancellationToken;

use super::{
    args::{
        Bench, BenchArgs, CrashArgs, FailoverArgs, FleetArgs, HostArgs, Output, PointsArgs, ThrottleArgs,
    },
    tell::tell,
};
use crate::{
    crash::{CrashSpec, crash_watched},
    experiment::Verdict,
    failover::{FailoverSpec, failover_watched},
    fleet::{self, FleetSpec},
    machine::{self, HostSpec},
    points::{self, SweepSpec},
    storm::{self, bench::steps},
};

pub(super) async fn bench(args: BenchArgs, output: Output) -> anyhow::Result<Verdict> {
    match args.bench {
        Bench::Crash(args) => crash(args, output).await,
        Bench::Host(args) => host(args, output).await,
        Bench::Failover(args) => failover(args, output).await,
        Bench::Fleet(args) => fleet(args, output).await,
        Bench::Points(args) => points(args, output).await,
        Bench::Throttle(args) => tokio::task::spawn_blocking(move || throttle(&args, output)).await?,
    }
}

async fn crash(args: CrashArgs, output: Output) -> anyhow::Result<Verdict> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let spec = CrashSpec { program, kills: args.kills, wakes: args.wakes, seed: args.seed, keep: args.keep };
    let bar =
        progress(spec.kills.into(), "{elapsed_precise} {bar:30} kill {pos} of {len}, {per_sec}, {eta} left");
    let outcome = crash_watched(&spec, &mut |kills| bar.set_position(kills.into())).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    tell(output, &outcome, || outcome.render())?;
    Ok(outcome.verdict)
}

async fn failover(args: FailoverArgs, output: Output) -> anyhow::Result<Verdict> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let spec = FailoverSpec { program, rounds: args.rounds, keep: args.keep };
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    // What was started is removed before the program ends.
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let bar = progress(spec.rounds.into(), "{elapsed_precise} {bar:30} {msg}: {pos} of {len} over");
    let mut told = |what: &'static str, rounds| {
        bar.set_message(what);
        bar.set_position(rounds);
    };
    let outcome = failover_watched(&spec, &mut told, stop).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    tell(output, &outcome, || outcome.render())?;
    Ok(outcome.verdict.unwrap_or(Verdict::Error))
}

async fn points(args: PointsArgs, output: Output) -> anyhow::Result<Verdict> {
    let spec = SweepSpec {
        program: std::env::current_exe().context("failed to find this program")?,
        database: args.database,
        every: args.every,
        from: args.from,
        only: args.only,
        jobs: args.jobs,
        keep: args.keep,
        plant: None,
    };
    let bar = progress(0, "{elapsed_precise} {bar:30} course {pos} of {len}, {eta} left");
    let sweep = points::sweep(&spec, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let sweep = sweep?;
    tell(output, &sweep, || sweep.render())?;
    Ok(sweep.verdict)
}

async fn host(args: HostArgs, output: Output) -> anyhow::Result<Verdict> {
    let spec = HostSpec {
        program: std::env::current_exe().context("failed to find this program")?,
        instances: args.instances,
        work_s: args.work_s,
        ceiling_percent: args.ceiling,
        background_share: args.background,
        with_peers: !args.no_peers,
    };
    let bar = progress(spec.instances.into(), "{elapsed_precise} {bar:30} {msg}: {pos} of {len} serve");
    let bench = machine::bench(&spec, &mut |policy, serving| {
        bar.set_message(policy);
        bar.set_position(serving as u64);
    })
    .await;
    bar.finish_and_clear();
    let bench = bench?;
    tell(output, &bench, || bench.render())?;
    Ok(if bench.missed().is_empty() { Verdict::Held } else { Verdict::Deviated })
}

async fn fleet(args: FleetArgs, output: Output) -> anyhow::Result<Verdict> {
    let spec = FleetSpec {
        program: std::env::current_exe().context("failed to find this program")?,
        agents: args.agents,
        minutes: args.minutes,
        database: args.database,
        tls_minutes: args.tls_minutes,
    };
    let bar = progress(spec.agents.into(), "{elapsed_precise} {bar:30} {msg} {pos} of {len}");
    let bench = fleet::bench(&spec, &mut |what, position, length| {
        bar.set_message(what);
        bar.set_length(length);
        bar.set_position(position);
    })
    .await;
    bar.finish_and_clear();
    let bench = bench?;
    tell(output, &bench, || bench.render())?;
    Ok(if bench.missed().is_empty() { Verdict::Held } else { Verdict::Deviated })
}

fn throttle(args: &ThrottleArgs, output: Output) -> anyhow::Result<Verdict> {
    // A name that says no format is refused before anything is measured.
    let format = args.plot.as_deref().map(Format::of).transpose()?;
    let bar = progress(steps(args.seeds), "{elapsed_precise} {bar:30} storm {pos} of {len}, {eta} left");
    let bench = storm::bench::bench(args.seeds, || bar.inc(1));
    bar.finish_and_clear();
    if let (Some(path), Some(format)) = (&args.plot, format) {
        let failed = || format!("failed to write the plot to {}", path.display());
        std::fs::write(path, bench.plot()?.encode(format)?).with_context(failed)?;
    }
    tell(output, &bench, || bench.render())?;
    Ok(if bench.missed().is_empty() { Verdict::Held } else { Verdict::Deviated })
}

/// On standard error, and only on a terminal.
pub(super) fn progress(steps: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
