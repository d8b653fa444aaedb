//! `sim`, `replay`, `shrink`, `lineage` and `corpus`.

use std::{num::NonZero, path::Path, thread, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    args::{CorpusArgs, LineageArgs, Output, ReplayArgs, ShrinkArgs, SimArgs},
    bench::progress,
    tell::{Told, empty, end_when_told, tell, writable, write},
};
use crate::{
    experiment::Verdict,
    history::History,
    sim::{
        self, Plan, SimOutcome, SweepSpec, corpus,
        lineage::{self, LineageSpec},
        room,
        shrink::{Failure, Shrunk},
        sweep,
        written::{Cases, junit::junit, markdown::markdown, sarif::sarif},
    },
};

pub(super) async fn sim(args: SimArgs, output: Output) -> anyhow::Result<Verdict> {
    writable([&args.junit, &args.sarif, &args.markdown, &args.html])?;
    let spec = SweepSpec {
        seeds: args.seeds,
        swarm: !args.calm,
        jobs: jobs(args.jobs),
        keep: args.keep,
        budget: args.budget_s.map(Duration::from_secs),
        stop: end_when_told()?,
    };
    let all = spec.seeds.end - spec.seeds.start;
    let bar = progress(all, "{elapsed_precise} {bar:30} seed {pos} of {len}, {per_sec}, {eta} left");
    let told = Told::of(bar.clone());
    let work = move || sweep(&spec, &|done| told.done(done));
    let swept = tokio::task::spawn_blocking(work).await.context("the sweep panicked");
    bar.finish_and_clear();
    let swept = swept??;
    let cases = Cases::from(&swept);
    write(args.junit.as_deref(), || Ok(junit(&cases)?))?;
    write(args.sarif.as_deref(), || Ok(sarif(&cases)?))?;
    write(args.markdown.as_deref(), || Ok(markdown(&swept)))?;
    write(args.html.as_deref(), || Ok(swept.page()))?;
    tell(output, &swept, || swept.render())?;
    Ok(swept.verdict)
}

pub(super) async fn corpus(args: CorpusArgs, output: Output) -> anyhow::Result<Verdict> {
    let (dir, jobs) = (args.dir, jobs(args.jobs));
    let bar = progress(0, "{elapsed_precise} {bar:30} plan {pos} of {len}");
    let shown = bar.clone();
    let work = move || {
        corpus::corpus(&dir, jobs, &|done, all| {
            shown.set_length(all as u64);
            shown.set_position(done as u64);
        })
    };
    let played = tokio::task::spawn_blocking(work).await.context("the corpus panicked");
    bar.finish_and_clear();
    let played = played??;
    let cases = Cases::from(&played);
    write(args.junit.as_deref(), || Ok(junit(&cases)?))?;
    write(args.sarif.as_deref(), || Ok(sarif(&cases)?))?;
    tell(output, &played, || played.render())?;
    Ok(played.verdict)
}

pub(super) async fn replay(args: ReplayArgs, output: Output) -> anyhow::Result<Verdict> {
    let plan = plan_of(args.plan.as_deref(), args.seed, !args.calm)?;
    let replay = match &args.plan {
        Some(path) => format!("reveille-chaos replay --plan {}", path.display()),
        None => {
            format!("reveille-chaos replay --seed {}{}", plan.seed, if args.calm { " --calm" } else { "" })
        }
    };
    if let Some(keep) = &args.keep {
        empty(keep)?;
    }
    writable([&args.html])?;
    let work = move || {
        let temporary = room::directory().context("failed to make a directory")?;
        let directory = args.keep.as_deref().unwrap_or(temporary.path());
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
        let outcome = sim::run(&plan, directory)?;
        write(args.html.as_deref(), || {
            Ok(outcome.page(&History::read(&directory.join("history.jsonl"))?, &replay))
        })?;
        anyhow::Ok(outcome)
    };
    let outcome = tokio::task::spawn_blocking(work).await.context("the run panicked")??;
    tell(output, &outcome, || outcome.render())?;
    Ok(outcome.verdict)
}

pub(super) async fn shrink(args: ShrinkArgs, output: Output) -> anyhow::Result<Verdict> {
    let plan = plan_of(args.plan.as_deref(), args.seed, true)?;
    let bar = progress(0, "{elapsed_precise} {spinner} {msg}");
    let shown = bar.clone();
    let work = move || -> anyhow::Result<Option<Shrunk>> {
        let Some(failure) = Failure::of(&in_passing(&plan)?) else { return Ok(None) };
        let until = Instant::now() + Duration::from_secs(args.budget_s);
        let mut runs = 0_u64;
        // A plan that cannot be played shows nothing.
        let mut fails = |smaller: &Plan| {
            runs += 1;
            let (faults, instances) = (smaller.faults.len(), smaller.instances);
            shown.set_message(format!("run {runs}: {faults} faults, {instances} instances"));
            shown.tick();
            in_passing(smaller).ok().as_ref().and_then(Failure::of)
        };
        Ok(Some(sim::shrink::shrink(&plan, &failure, &mut fails, &|| Instant::now() < until)))
    };
    let shrunk = tokio::task::spawn_blocking(work).await.context("the shrinking panicked");
    bar.finish_and_clear();
    let Some(shrunk) = shrunk?? else {
        anstream::eprintln!("this plan holds: there is nothing to shrink");
        return Ok(Verdict::Inconclusive);
    };
    write(args.out.as_deref(), || Ok(serde_json::to_string_pretty(&shrunk.to)? + "\n"))?;
    tell(output, &shrunk, || shrunk.render())?;
    Ok(Verdict::Held)
}

pub(super) async fn lineage(args: LineageArgs, output: Output) -> anyhow::Result<Verdict> {
    let plan = plan_of(args.plan.as_deref(), args.seed, !args.calm)?;
    let budget = args.budget_s.map(Duration::from_secs);
    let spec = LineageSpec { plan, jobs: jobs(args.jobs), keep: args.keep, budget };
    let bar = progress(0, "{elapsed_precise} {bar:30} run {pos} of {len}, {per_sec}, {eta} left");
    let shown = bar.clone();
    let work = move || {
        lineage::lineage(&spec, &|done, all| {
            shown.set_length(all as u64);
            shown.set_position(done as u64);
        })
    };
    let tried = tokio::task::spawn_blocking(work).await.context("the runs panicked");
    bar.finish_and_clear();
    let tried = tried??;
    tell(output, &tried, || tried.render())?;
    Ok(tried.verdict)
}

/// As many as were asked for, or one for each core.
pub(super) fn jobs(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from)
}

/// From a file, or drawn from a seed.
fn plan_of(path: Option<&Path>, seed: Option<u64>, swarm: bool) -> anyhow::Result<Plan> {
    path.map_or_else(|| Ok(sweep::plan(seed.unwrap_or_default(), swarm)), Plan::read)
}

/// Plays a plan and keeps nothing of it.
fn in_passing(plan: &Plan) -> anyhow::Result<SimOutcome> {
    let directory = room::directory().context("failed to make a directory")?;
    sim::run(plan, directory.path())
}
