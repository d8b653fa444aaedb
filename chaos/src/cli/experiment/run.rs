//! `run` with experiments.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use reveille_proto::clock::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::files::read;
use crate::{
    cli::{
        args::{ModeName, Output, RunArgs},
        bench::progress,
        sim::jobs,
        tell::{Told, empty, end_when_told, tell, writable, write},
    },
    experiment::{
        Verdict,
        file::RunMode,
        plan::Approval,
        run::{Climb, Entry, LocalRun, Mode, SeriesSpec, runs_in, series},
        template,
    },
    sim::written::{Cases, junit::junit},
};

/// What stands for every template that can be run.
const LIBRARY: &str = "library";
/// Of a local world, where none is given.
const LOCAL_SPEED: f64 = 20.0;

pub(in crate::cli) async fn run(args: RunArgs, output: Output) -> anyhow::Result<Verdict> {
    let mode = mode(&args)?;
    let mut experiments = Vec::new();
    for name in &args.experiments {
        if name == LIBRARY {
            experiments.extend(library(args.mode.mode())?);
            continue;
        }
        let Some(experiment) = read(Path::new(name)) else { return Ok(Verdict::InvalidFile) };
        experiments.push(Entry::first(name.clone(), experiment));
    }
    experiments.retain(|entry| args.tag.iter().all(|tag| entry.experiment.tags.contains(tag)));
    anyhow::ensure!(!experiments.is_empty(), "no experiment has the tags {}", args.tag.join(", "));
    if let Some(dir) = &args.ladder {
        experiments = climbed(experiments, &Climb { journals: dir.clone(), rung: args.rung }, &args)?;
        anyhow::ensure!(!experiments.is_empty(), "no rung is open in mode {}", args.mode.mode().name());
    }
    let seeds = args.seeds.unwrap_or(args.world.seed..args.world.seed + 1);
    writable([&args.junit])?;
    if let Some(keep) = &args.world.keep {
        empty(keep)?;
    }
    let stop = match mode {
        Mode::Simulated => end_when_told()?,
        Mode::Local(_) => {
            say_what_goes_on(args.lease)?;
            CancellationToken::new()
        }
    };
    let spec = SeriesSpec {
        mode,
        experiments,
        seeds,
        jobs: jobs(args.jobs),
        journals: args.journals.or(args.ladder),
        keep: args.world.keep,
        budget: args.budget_s.map(Duration::from_secs),
        stop,
    };
    let all = spec.experiments.len() as u64 * (spec.seeds.end - spec.seeds.start);
    let bar = progress(all, "{elapsed_precise} {bar:30} run {pos} of {len}, {per_sec}, {eta} left");
    let told = Told::of(bar.clone());
    let work = move || series(&spec, &|done| told.done(done));
    let ran = tokio::task::spawn_blocking(work).await.context("the series panicked");
    bar.finish_and_clear();
    let ran = ran??;
    write(args.junit.as_deref(), || Ok(junit(&Cases::from(&ran))?))?;
    tell(output, &ran, || ran.render())?;
    Ok(ran.verdict)
}

/// A world of processes is not ours but its keeper's, which ends it when nobody renews its lease any more.
fn say_what_goes_on(lease: Duration) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for signals")?;
    tokio::spawn(async move {
        interrupt.recv().await;
        let lease_s = lease.as_secs();
        anstream::eprintln!(
            "the world is ended by its keeper within {lease_s} s; `reveille-chaos lever` does it at once"
        );
        std::process::exit(130);
    });
    Ok(())
}

fn mode(args: &RunArgs) -> anyhow::Result<Mode> {
    if args.mode == ModeName::Sim {
        return Ok(Mode::Simulated);
    }
    anyhow::ensure!(
        args.mode != ModeName::Live || (args.ladder.is_some() && args.approval.is_some()),
        "mode live needs evidence and a person's approval: --ladder DIR --approval FILE"
    );
    let program = std::env::current_exe().context("failed to find this program")?;
    Ok(Mode::Local(LocalRun {
        program,
        speed: args.world.speed.unwrap_or(LOCAL_SPEED),
        lease: args.lease,
        in_containers: args.mode == ModeName::Container,
    }))
}

/// Each on the rung that is open. Tells on standard error which have none.
fn climbed(experiments: Vec<Entry>, climb: &Climb, args: &RunArgs) -> anyhow::Result<Vec<Entry>> {
    let (mode, now) = (args.mode.mode(), Clock::system().now());
    let mut open = Vec::new();
    for entry in experiments {
        let experiment = &entry.experiment;
        if let Some(path) = &args.approval {
            Approval::of_file(path, experiment, now)?;
        }
        let stand = climb.stand(experiment, mode, args.approval.is_some())?;
        match stand.and_then(|on| runs_in(mode, experiment).map(|()| on)) {
            Ok(on) => open.push(Entry { on, climb: Some(climb.clone()), ..entry }),
            Err(why) => anstream::eprintln!("{} is left out: {why}", entry.name),
        }
    }
    Ok(open)
}

/// Tells on standard error which templates are left out.
fn library(mode: RunMode) -> anyhow::Result<Vec<Entry>> {
    let mut experiments = Vec::new();
    for template in template::library() {
        let experiment = template.read().with_context(|| format!("{} is invalid", template.file))?;
        let id = experiment.reveille().id.clone();
        match runs_in(mode, &experiment) {
            Ok(()) => experiments.push(Entry::first(id, experiment)),
            Err(why) => anstream::eprintln!("{id} is left out: {why}"),
        }
    }
    Ok(experiments)
}
