//! `sim`, `replay` and `shrink`.

use std::{num::NonZero, path::Path, thread, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    args::{Output, ReplayArgs, ShrinkArgs, SimArgs},
    bench::progress,
    tell::tell,
};
use crate::{
    experiment::Verdict,
    history::History,
    sim::{
        self, Plan, SimOutcome, SweepSpec, junit, room,
        shrink::{Failure, Shrunk},
        sweep,
    },
};

pub(super) async fn sim(args: SimArgs, output: Output) -> anyhow::Result<Verdict> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let spec = SweepSpec {
        seeds: args.seeds,
        swarm: !args.calm,
        jobs: args.jobs.map_or(cores, usize::from),
        keep: args.keep,
    };
    let all = spec.seeds.end - spec.seeds.start;
    let bar = progress(all, "{elapsed_precise} {bar:30} seed {pos} of {len}, {per_sec}, {eta} left");
    let shown = bar.clone();
    let work = move || sweep(&spec, &|done| shown.set_position(done));
    let swept = tokio::task::spawn_blocking(work).await.context("the sweep panicked");
    bar.finish_and_clear();
    let swept = swept??;
    if let Some(path) = &args.junit {
        let xml = junit::junit(&swept).context("failed to make a JUnit report")?;
        std::fs::write(path, xml).with_context(|| format!("failed to write {}", path.display()))?;
    }
    tell(output, &swept, || swept.render())?;
    Ok(swept.verdict)
}

pub(super) async fn replay(args: ReplayArgs, output: Output) -> anyhow::Result<Verdict> {
    let plan = plan_of(args.plan.as_deref(), args.seed, !args.calm)?;
    let replay = match &args.plan {
        Some(path) => format!("reveille-chaos replay --plan {}", path.display()),
        None => {
            format!("reveille-chaos replay --seed {}{}", plan.seed, if args.calm { " --calm" } else { "" })
        }
    };
    let work = move || {
        let temporary = room::directory().context("failed to make a directory")?;
        let directory = args.keep.as_deref().unwrap_or(temporary.path());
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
        let outcome = sim::run(&plan, directory)?;
        if let Some(html) = &args.html {
            let history = History::read(&directory.join("history.jsonl"))?;
            std::fs::write(html, outcome.page(&history, &replay))
                .with_context(|| format!("failed to write {}", html.display()))?;
        }
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
    if let Some(out) = &args.out {
        let text = serde_json::to_string_pretty(&shrunk.to)? + "\n";
        std::fs::write(out, text).with_context(|| format!("failed to write {}", out.display()))?;
    }
    tell(output, &shrunk, || shrunk.render())?;
    Ok(Verdict::Held)
}

/// From a file, or drawn from a seed.
fn plan_of(path: Option<&Path>, seed: Option<u64>, swarm: bool) -> anyhow::Result<Plan> {
    let Some(path) = path else { return Ok(sweep::plan(seed.unwrap_or_default(), swarm)) };
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let plan: Plan =
        serde_json::from_str(&text).with_context(|| format!("{} is not a plan", path.display()))?;
    plan.check()
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("{} cannot be played", path.display()))?;
    Ok(plan)
}

/// Plays a plan and keeps nothing of it.
fn in_passing(plan: &Plan) -> anyhow::Result<SimOutcome> {
    let directory = room::directory().context("failed to make a directory")?;
    sim::run(plan, directory.path())
}
