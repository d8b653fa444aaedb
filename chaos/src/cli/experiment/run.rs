//! `run` with experiments.

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use super::files::read;
use crate::{
    cli::{
        args::{Output, RunArgs},
        bench::progress,
        sim::jobs,
        tell::{tell, write},
    },
    experiment::{
        Verdict,
        file::Experiment,
        run::{SeriesSpec, runs_in_a_simulation, series},
        template,
    },
    sim::written::{Cases, junit::junit},
};

/// What stands for every template that a simulation can run.
const LIBRARY: &str = "library";

pub(in crate::cli) async fn run(args: RunArgs, output: Output) -> anyhow::Result<Verdict> {
    let mut experiments = Vec::new();
    for name in &args.experiments {
        if name == LIBRARY {
            experiments.extend(library()?);
            continue;
        }
        let Some(experiment) = read(Path::new(name)) else { return Ok(Verdict::InvalidFile) };
        experiments.push((name.clone(), experiment));
    }
    experiments.retain(|(_, experiment)| args.tag.iter().all(|tag| experiment.tags.contains(tag)));
    anyhow::ensure!(!experiments.is_empty(), "no experiment has the tags {}", args.tag.join(", "));
    let seeds = args.seeds.unwrap_or(args.world.seed..args.world.seed + 1);
    let spec = SeriesSpec {
        experiments,
        seeds,
        jobs: jobs(args.jobs),
        journals: args.journals,
        keep: args.world.keep,
        budget: args.budget_s.map(Duration::from_secs),
    };
    let all = spec.experiments.len() as u64 * (spec.seeds.end - spec.seeds.start);
    let bar = progress(all, "{elapsed_precise} {bar:30} run {pos} of {len}, {per_sec}, {eta} left");
    let shown = bar.clone();
    let work = move || series(&spec, &|done| shown.set_position(done));
    let ran = tokio::task::spawn_blocking(work).await.context("the series panicked");
    bar.finish_and_clear();
    let ran = ran??;
    write(args.junit.as_deref(), || Ok(junit(&Cases::from(&ran))?))?;
    tell(output, &ran, || ran.render())?;
    Ok(ran.verdict)
}

/// Tells on standard error which templates are left out.
fn library() -> anyhow::Result<Vec<(String, Experiment)>> {
    let mut experiments = Vec::new();
    for template in template::library() {
        let experiment = template.read().with_context(|| format!("{} is invalid", template.file))?;
        let id = experiment.reveille().id.clone();
        match runs_in_a_simulation(&experiment) {
            Ok(()) => experiments.push((id, experiment)),
            Err(why) => anstream::eprintln!("{id} is left out: {why}"),
        }
    }
    Ok(experiments)
}
